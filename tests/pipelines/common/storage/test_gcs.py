"""Google Cloud Storage, as gcsfs speaks it: files that are made once."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import gcsfs
import pytest

from pipelines.common import storage
from pipelines.common.storage import retries


class Handler(BaseHTTPRequestHandler):
    """Uploads in one request, and what they have uploaded."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        _, told, content, _ = self.rfile.read(int(self.headers["Content-Length"])).split(b"--==0==")
        told = json.loads(told.split(b"\n\n")[1])
        is_conditional = parse_qs(urlsplit(self.path).query).get("ifGenerationMatch") == ["0"]
        how = next(self.server.misbehaves, "")
        if how != "503" and not (is_conditional and told["name"] in self.server.objects):
            self.server.objects[told["name"]] = told, content.split(b"\n\n")[1].removesuffix(b"\n")
            how = how or "200"
        self.close_connection = how == "lost"
        if how != "lost":
            self.answer(int(how or 412), self.told(told["name"]))

    def do_GET(self):
        name = re.fullmatch(r"(?:/download)?/storage/v1/b/bucket/o/([^/?]*)(?:\?.*)?", self.path)
        if name is None or (name := unquote(name[1])) not in self.server.objects:
            self.answer(404, b"{}")
        elif "alt=media" in self.path:
            self.answer(200, self.server.objects[name][1])
        else:
            self.answer(200, self.told(name))

    def told(self, name):
        told, content = self.server.objects.get(name, ({}, b""))
        return json.dumps({**told, "size": str(len(content)), "bucket": "bucket"}).encode()

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def server(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.objects, server.misbehaves = {}, iter(())
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(retries, "PAUSES_S", (0, 0, 0, 0))
    gcsfs.GCSFileSystem.clear_instance_cache()
    yield server
    gcsfs.GCSFileSystem.clear_instance_cache()
    server.shutdown()
    server.server_close()


def test_an_object_is_made_once(server):
    assert storage.create("gs://bucket/a/b.json", b"one")
    assert not storage.create("gs://bucket/a/b.json", b"one")
    assert storage.read_bytes("gs://bucket/a/b.json") == b"one"


@pytest.mark.slow
def test_who_made_an_object_whose_answer_was_lost_is_known(server):
    server.misbehaves = iter(["lost", "503"])
    assert storage.create("gs://bucket/a/b.json", b"one")
    assert not storage.create("gs://bucket/a/b.json", b"one")
