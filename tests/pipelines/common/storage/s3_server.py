"""A server that speaks as much of S3's language as s3fs needs, and misbehaves when it is told to."""

import re
import threading
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

ERROR = "<Error><Code>{}</Code><Message>{}</Message>{}</Error>"
CONDITION = "<Condition>If-None-Match</Condition>"


class Server(ThreadingHTTPServer):
    """Objects by path.

    `misbehave` gets each request's method and says how to: "503", "lost" (done, but not answered), "cut" (half of the
    answer), "denied", or "" (not at all).
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        self.reset()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def reset(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.misbehave: Callable[[str], str] = lambda method: ""
        self.knows_conditions = True
        self.requests: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        how = self.server.misbehave(self.command)
        self.server.requests.append((self.command, self.path))
        if how == "503":
            return self.answer(503, ERROR.format("SlowDown", "Please reduce your request rate.", "").encode())
        if how == "denied":
            return self.answer(403, ERROR.format("AccessDenied", "Access Denied", "").encode())
        split = urlsplit(self.path)
        key, query = unquote(split.path).strip("/"), parse_qs(split.query, keep_blank_values=True)
        with self.server.lock:
            status, content, headers = getattr(self, f"on_{self.command.lower()}")(key, query, body)
        if how == "lost":
            self.close_connection = True
        else:
            self.answer(status, content, headers, cut=how == "cut")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
            self.close_connection = cut

    def on_put(self, key, query, body):
        if self.headers.get("If-None-Match") and self.server.knows_conditions and key in self.server.objects:
            return 412, ERROR.format("PreconditionFailed", "There is one.", CONDITION).encode(), {}
        kept = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
        self.server.objects[key] = body, kept
        return 200, b"", {}

    def on_get(self, key, query, body):
        if "list-type" in query:
            return (
                200,
                self.listed(key, query["prefix"][0] if "prefix" in query else "", query.get("delimiter") == ["/"]),
                {},
            )
        if key not in self.server.objects:
            return 404, ERROR.format("NoSuchKey", "The specified key does not exist.", "").encode(), {}
        content, kept = self.server.objects[key]
        headers = {"ETag": f'"{hash(content)}"', "Last-Modified": formatdate(usegmt=True), **kept}
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            begin, last = int(asked[1]), int(asked[2] or len(content))
            return 206, content[begin : last + 1], headers
        return 200, content, headers

    def on_head(self, key, query, body):
        status, content, headers = (200, b"", {}) if "/" not in key else self.on_get(key, query, body)
        return status, b"", {**headers, "Content-Length": str(len(content))}

    def on_delete(self, key, query, body):
        self.server.objects.pop(key, None)
        return 204, b"", {}

    def on_post(self, key, query, body):
        for found in ElementTree.fromstring(body).iter():
            if found.tag.endswith("Key"):
                self.server.objects.pop(f"{key}/{found.text}", None)
        return 200, b"<DeleteResult></DeleteResult>", {}

    def listed(self, bucket, prefix, by_folder):
        found, folders = "", set()
        for path, (content, _) in sorted(self.server.objects.items()):
            name = path.removeprefix(f"{bucket}/")
            below = name.removeprefix(prefix)
            if not path.startswith(f"{bucket}/{prefix}"):
                continue
            if by_folder and "/" in below:
                folders.add(f"{prefix}{below.split('/')[0]}/")
            else:
                found += f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size>"
                found += f"<ETag>{hash(content)}</ETag><LastModified>2026-01-01T00:00:00Z</LastModified></Contents>"
        prefixes = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        return f"<ListBucketResult>{found}{prefixes}</ListBucketResult>".encode()
