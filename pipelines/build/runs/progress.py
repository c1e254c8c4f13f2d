"""The progress of a run: how many songs each step has done, as its workers write it down every so often."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.build.runs.run import RECORDS, Run
from pipelines.common import parquet, storage
from pipelines.common.output.progress import Progress
from pipelines.copies import search
from pipelines.copies.layout import LAYOUT_NAME

READ, WRITE = "read", "write"
"""The steps that count songs."""

_EVERY_S, _REMOTE_EVERY_S = 1.0, 10.0  # on a store each time is a request


def _every_s(run: Run) -> float:
    return _EVERY_S if storage.is_local(run.url) else _REMOTE_EVERY_S


class Tally:
    """How many songs a worker has done of a step, written down every so often, and by `write`.

    What an attempt that failed had counted is counted again by the next: it is shown to people and decides nothing.

    Parameters
    ----------
    run : Run
    step : str
    """

    def __init__(self, run: Run, step: str):
        self._url = run.path(f"progress/{step}-{uuid.uuid4().hex}.json")
        self._every_s = _every_s(run)
        self._done, self._written, self._written_s = 0, 0, time.monotonic()

    def add(self, songs: int) -> None:
        """Counts some more."""
        self._done += songs
        if time.monotonic() - self._written_s >= self._every_s:
            self.write()

    def write(self) -> None:
        """Writes down what was counted so far."""
        if self._done != self._written:
            storage.write_bytes(self._url, str(self._done).encode(), is_lasting=False)
        self._written, self._written_s = self._done, time.monotonic()


def done(run: Run, step: str) -> int:
    """How many songs a step has done."""
    names = [name for name in storage.names(run.path("progress")) if name.startswith(f"{step}-")]
    return sum(_count(storage.read_bytes(run.path(f"progress/{name}"))) for name in names)


def _count(content: bytes) -> int:
    # What a power cut left decides nothing.
    return int(content) if content.isdigit() else 0


@dataclass(frozen=True)
class Step:
    """A step of a run that counts songs.

    Attributes
    ----------
    verb : str
        What it is called.
    songs : int
        Of how many songs it is.
    done : callable
        Returns how many are done.
    """

    verb: str
    songs: int
    done: Callable[[], int]


def current_step(run: Run) -> Step:
    """The step that a run is at."""
    if storage.version(run.plan(RECORDS)):
        songs = parquet.count_rows(run.plan(RECORDS))
        return Step("Write songs", songs, lambda: min(done(run, WRITE), songs))
    if storage.version(storage.join(run.search, LAYOUT_NAME)):
        songs = parquet.count_rows(run.contents)
        return Step("Compare songs", songs, lambda: round(search.share_done(run.search) * songs))
    songs = run.request.songs_to_read
    return Step("Read songs", songs, lambda: min(done(run, READ), songs))


class RunProgress(contextlib.AbstractContextManager["RunProgress"]):
    """Shows, for as long as a `with` block runs, how far a run is, wherever its workers are."""

    def __init__(self, run: Run):
        self._run = run
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._shown, self._verb = contextlib.ExitStack(), ""

    def __enter__(self) -> "RunProgress":
        self._show(current_step(self._run))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._stopped.set()
        self._thread.join()
        if kind is None:
            self._show(current_step(self._run))  # the last may have been short
        self._shown.__exit__(kind, error, trace)

    def _watch(self) -> None:
        while not self._stopped.wait(_every_s(self._run)):
            self._show(current_step(self._run))

    def _show(self, step: Step) -> None:
        if step.verb != self._verb:
            self._shown.close()
            self._verb = step.verb
            if step.songs:
                self._shown.enter_context(Progress(step.verb, step.songs, step.done, "song"))
