"""What the steps have in common that work on songs."""

from typing import ClassVar

from pipelines.build.runs.progress import Tally
from pipelines.build.runs.run import Run
from pipelines.common.beam.workers import WorkerDoFn


class SongsDoFn(WorkerDoFn):
    """A DoFn that counts the songs it has done, for those who watch the run.

    Attributes
    ----------
    step : str
        What it counts for: `READ` or `WRITE`.
    """

    step: ClassVar[str]
    _tally: Tally | None = None

    def start_bundle(self) -> None:
        super().start_bundle()
        self._tally = None

    def finish_bundle(self) -> None:
        if self._tally:
            self._tally.write()

    def tally(self, run: Run) -> Tally:
        """That of the bundle: a file for each part would be written, and looked at, too often."""
        self._tally = self._tally or Tally(run, self.step)
        return self._tally
