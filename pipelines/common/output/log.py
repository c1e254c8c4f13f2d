"""What a command tells on standard error: lines for people, or, where it is asked for, a line of JSON an event."""

import contextlib
import io
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from pipelines.common.errors import UsageError
from pipelines.common.output.library_warnings import of_its_own
from pipelines.common.redaction import redacted

Level = Literal["info", "error"]
VARIABLE = "SPECTROSHARD_LOG"
"""The environment variable that asks for JSON."""


def event(message: str, level: Level = "info", **fields: Any) -> None:
    """Tells something: as a line of the message, or as JSON with its fields. Secrets in URLs are hidden."""
    if isinstance(sys.stderr, _JsonLines):
        sys.stderr.put(message, level, fields)
    else:
        print(redacted(message), file=sys.stderr, flush=True)


def is_json() -> bool:
    """Whether events are told as JSON."""
    return isinstance(sys.stderr, _JsonLines)


@contextlib.contextmanager
def of_command(command: str, form: str) -> Iterator[None]:
    """Has all that goes to standard error while a block runs take a form.

    Parameters
    ----------
    command : str
        What is at work, which each line of JSON names.
    form : str
        `json`; or empty or `text`, where all stays as it is.

    Raises
    ------
    UsageError
        There is no such form.
    """
    if form in ("", "text"):
        yield
        return
    if form != "json":
        raise UsageError(f"{VARIABLE}={form}: expected json, text or nothing")
    before = sys.stderr
    lines = _JsonLines(of_its_own(before), command)
    sys.stderr = lines
    try:
        yield
    finally:
        lines.end_line()
        sys.stderr = before


class _JsonLines(io.TextIOBase):
    """A stream each line of which becomes a line of JSON in another."""

    def __init__(self, stream: TextIO, command: str):
        self._stream, self._command = stream, command
        self._lock = threading.Lock()
        self._begun = threading.local()  # what a thread has written of a line

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        *lines, rest = (getattr(self._begun, "text", "") + text).split("\n")
        self._begun.text = rest
        for line in lines:
            if line.strip():
                self.put(line.rstrip(), "info", {})
        return len(text)

    def end_line(self) -> None:
        """Tells a line that has no end."""
        if getattr(self._begun, "text", "").strip():
            self.write("\n")

    def put(self, message: str, level: Level, fields: dict[str, Any]) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        told = {"time": at, "level": level, "command": self._command, "message": message} | fields
        with self._lock:
            self._stream.write(redacted(json.dumps(told, ensure_ascii=False, default=str)) + "\n")
            self._stream.flush()
