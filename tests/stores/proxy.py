"""A proxy between a program and a store: it counts what is asked, does harm to a share of it, and lies when told to."""

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FAULTS = ("500", "503", "SlowDown", "cut", "lost", "refused")
"""How requests are harmed: by an error, by half of the answer, by none though it was done, by not being done."""

_OF_A_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_ERROR = "<Error><Code>{}</Code><Message>as the tests want it</Message></Error>"
_CODES = {"500": "InternalError", "503": "ServiceUnavailable", "SlowDown": "SlowDown"}


@dataclass(frozen=True)
class Asked:
    """A request: what kind it is, as people pay for it, and of which object.

    Attributes
    ----------
    kind : str
        "GET", "HEAD", "PUT", "DELETE", "LIST", "POST", and so on.
    key : str
        Bucket and name, or the prefix that was listed.
    query : str
    path : str
        As it was asked.
    """

    kind: str
    key: str
    query: str
    path: str

    @classmethod
    def of(cls, method: str, path: str) -> "Asked":
        """The request of a method and a path."""
        split = urlsplit(path)
        query, key = parse_qs(split.query, keep_blank_values=True), unquote(split.path).strip("/")
        if method == "GET" and not {"list-type", "prefix", "delimiter"}.isdisjoint(query):
            return cls("LIST", f"{key}/{query.get('prefix', [''])[0]}", split.query, path)
        return cls(method, key, split.query, path)


@dataclass(frozen=True)
class Answer:
    """What a store answers; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def error(status: int, code: str) -> Answer:
    """An error as S3 words it."""
    return Answer(status, {}, _ERROR.format(code).encode())


Ask = Callable[[str], Answer]
"""Passes a request on as it is but for its path, which is given, and gives the store's answer."""

Lie = Callable[[Asked, Ask], Answer | None]
"""Answers a request in the place of the store, which may be asked; None leaves the answer to it."""


def nothing(asked: Asked, ask: Ask) -> None:
    """No lie."""


class Proxy(ThreadingHTTPServer):
    """Passes requests on to a server on this machine.

    Attributes
    ----------
    asked : list of Asked
        All requests, in their order.
    lie : Lie
    share : float
        Of the requests, how many are harmed.
    harmed : int
        How many were.
    """

    daemon_threads = True

    def __init__(self, target: str):
        super().__init__(("127.0.0.1", 0), _Handler)
        split = urlsplit(target)
        assert split.hostname and split.port
        self.target = split.hostname, split.port
        self.share, self.asked, self.harmed = 0.0, list[Asked](), 0
        self.lie: Lie = nothing
        self._sequence = random.Random(5)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """A client that went away is none of the proxy's business."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def harm_of(self, asked: Asked) -> str:
        """How a request is to be harmed: one of `FAULTS`, or ""."""
        return self._sequence.choice(FAULTS) if self._sequence.random() < self.share else ""

    def counts(self, part: str = "") -> Counter[str]:
        """How many requests of each kind there were of objects whose names have this part."""
        return Counter(asked.kind for asked in self.asked if part in asked.key)

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: Any) -> None:
        pass

    def setup(self) -> None:
        super().setup()
        self._onward = http.client.HTTPConnection(*self.server.target, timeout=60)

    def finish(self) -> None:
        self._onward.close()
        super().finish()

    def pass_on(self) -> None:
        body = self._body()
        asked = Asked.of(self.command, self.path)
        self.server.asked.append(asked)
        harm = self.server.harm_of(asked)
        self.server.harmed += bool(harm)
        if harm in _CODES:
            return self._answer(error(int(harm) if harm.isdigit() else 503, _CODES[harm]))
        if harm == "refused":
            self.close_connection = True
            return None
        told = self.server.lie(asked, lambda path: self._target_answer(path, body))
        answer = self._target_answer(self.path, body) if told is None else told
        if harm == "lost":
            self.close_connection = True
            return None
        return self._answer(answer, cut=harm == "cut")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = pass_on  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return b"".join(pieces)

    def _target_answer(self, path: str, body: bytes) -> Answer:
        self._onward.putrequest(self.command, path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            # What is signed is passed on as it is, the name of this host too.
            if name.lower() not in _OF_A_CONNECTION:
                self._onward.putheader(name, value)
        if self.command in ("PUT", "POST", "PATCH"):
            self._onward.putheader("Content-Length", str(len(body)))
        self._onward.endheaders(body)
        answer = self._onward.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())

    def _answer(self, answer: Answer, cut: bool = False) -> None:
        self.send_response_only(answer.status)
        content = answer.content
        length = answer.headers.get("content-length", "0") if self.command == "HEAD" else str(len(content))
        for name, value in answer.headers.items():
            if name not in _OF_A_CONNECTION:
                self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut
