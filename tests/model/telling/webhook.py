"""A webhook on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "hunter2"


class Webhook:
    """A webhook that answers with one status after the other, the last one for ever."""

    def __init__(self):
        self.answers, self.got, self.drips = [200], [], False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
                if outer.drips:
                    self.drip()
                    return
                self.send_response(outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0])
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def drip(self):
                for _ in range(100):
                    self.wfile.write(b"H")
                    self.wfile.flush()
                    outer.over.wait(0.02)

            def do_GET(self):
                outer.got.append(("redirected", None, None))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.over = threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/{SECRET}"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.http.shutdown()
        self.http.server_close()
