"""How far long work is: a line that is renewed on a terminal, a line now and then in a log."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.5, 30.0


class Progress:
    """Watches work from beside it, for as long as a `with` block runs.

    Parameters
    ----------
    verb : str
        What is done, as in 'Read songs'.
    total : int
    count : callable
        Gives how much is done; called every now and then.
    """

    def __init__(self, verb: str, total: int, count: Callable[[], int]):
        self.verb, self.total, self.count = verb, total, count
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._started_s = time.monotonic()
        self._before = self.count()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        if kind is None:
            self._show(self.total, "\n")

    def _watch(self) -> None:
        terminal = sys.stderr.isatty()
        while not self._stopped.wait(_TERMINAL_EVERY_S if terminal else _LOG_EVERY_S):
            self._show(self.count(), "" if terminal else "\n")

    def _show(self, done: int, end: str) -> None:
        elapsed_s = time.monotonic() - self._started_s
        rate = (done - self._before) / elapsed_s if elapsed_s > 0 else 0
        left = f", {(self.total - done) / rate:.0f} s left" if rate and done < self.total else ""
        start = "\r\x1b[K" if sys.stderr.isatty() else ""
        print(
            f"{start}{self.verb}: {done} of {self.total} in {elapsed_s:.0f} s{left}",
            end=end,
            file=sys.stderr,
            flush=True,
        )
