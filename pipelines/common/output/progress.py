"""The progress of long work: a bar on a terminal, a line every 30 s in a log."""

import io
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tqdm import tqdm

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.5, 30.0
_LOG_LINE = "{desc}: {n_fmt} of {total_fmt} in {elapsed}, {rate_fmt}, {remaining} left"
_LAST_LOG_LINE = "{desc}: {n_fmt} of {total_fmt} in {elapsed}"


class Progress:
    """Shows, for as long as a `with` block runs, how much of its work is done.

    Parameters
    ----------
    verb : str
        What the work is, as in 'Read files'.
    total : int
    count : callable
        Returns how much is done; polled in a thread of its own.
    unit : str
        What is counted.
    """

    def __init__(self, verb: str, total: int, count: Callable[[], int], unit: str = "file"):
        self.verb, self.total, self.count, self.unit = verb, total, count, unit
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._stream, self._is_terminal = sys.stderr, sys.stderr.isatty()
        self._bar = tqdm(
            desc=self.verb,
            total=self.total,
            initial=self.count(),  # what an earlier run has done does not count for the rate
            unit=f" {self.unit}",
            bar_format=None if self._is_terminal else _LOG_LINE,
            dynamic_ncols=self._is_terminal,
            file=self._stream if self._is_terminal else io.StringIO(),  # tqdm redraws; a log gets lines
        )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        if kind is None:
            if not self._is_terminal:
                self._bar.bar_format = _LAST_LOG_LINE
            self._show(self.total)
        self._bar.close()

    def _watch(self) -> None:
        while not self._stopped.wait(_TERMINAL_EVERY_S if self._is_terminal else _LOG_EVERY_S):
            self._show(self.count())

    def _show(self, done: int) -> None:
        self._bar.n = done
        if self._is_terminal:
            self._bar.refresh()
        else:
            print(self._bar, file=self._stream, flush=True)
