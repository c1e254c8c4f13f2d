"""Staged readings: records that are made and in no version yet, so that what a killed run has read is not read again.

A worker collects records in a pack on its own disk. When it flushes, first the pack goes to the staging folder and then
the table of the readings that are in it, both under names that nobody else gives. So whatever a table names is there,
and what late or repeated attempts write is one more table that says the same.
"""

import contextlib
import shutil
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from pipelines.common import parquet, storage
from pipelines.dataset.readings import StagedReading

MOST_BYTES, _MOST_S = 1 << 28, 20.0
_TABLE_SUFFIX, _PACK_SUFFIX = ".parquet", ".records"


class Stage(contextlib.AbstractContextManager["Stage"]):
    """Where a worker stages readings of one part of a run's files; what is in hand when it is left, is flushed.

    Parameters
    ----------
    folder : str
        The part's own.
    """

    def __init__(self, folder: str):
        self.folder = folder
        self._begin()

    def _begin(self) -> None:
        self._url = storage.join(self.folder, uuid.uuid4().hex)
        self._open = contextlib.ExitStack()
        self._pack: IO[bytes] | None = None
        self._readings: list[StagedReading] = []
        self._since_s = time.monotonic()

    def add(self, reading: StagedReading, record: Path | None) -> int:
        """Adds a reading and its framed record, if it has one; gives how many readings were flushed for that."""
        if record is not None:
            if self._pack is None:
                path = self._open.enter_context(storage.writing(self._url + _PACK_SUFFIX))
                self._pack = self._open.enter_context(path.open("wb"))
            offset = self._pack.tell()
            with storage.naming(self._url + _PACK_SUFFIX), record.open("rb") as source:
                shutil.copyfileobj(source, self._pack, 1 << 20)
            place = {"offset": offset, "length": self._pack.tell() - offset}
            reading = replace(reading, pack=self._url + _PACK_SUFFIX, **place)
        self._readings.append(reading)
        is_large = self._pack is not None and self._pack.tell() > MOST_BYTES
        return self.flush() if is_large or time.monotonic() - self._since_s > _MOST_S else 0

    def flush(self) -> int:
        """Stages what was added since the last time, and gives how many readings that is."""
        flushed = len(self._readings)
        self._open.close()  # the pack appears
        if flushed:
            parquet.write(self._url + _TABLE_SUFFIX, StagedReading, self._readings)
        self._begin()
        return flushed

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is None:
            self.flush()
        else:
            self._open.__exit__(kind, error, trace)


def tables(folder: str) -> list[str]:
    """The URLs of all tables of staged readings below a folder, sorted."""
    try:
        fs, _ = storage.filesystem(folder)
        found = [storage.url_of(fs, path) for path in storage.find(folder)]
    except FileNotFoundError:
        return []
    return sorted(url for url in found if url.endswith(_TABLE_SUFFIX))


def read(urls: Iterable[str], columns: list[str]) -> Any:
    """Some columns of tables of staged readings, as one `pyarrow.Table`."""
    parts = [parquet.table(storage.read_bytes(url), columns) for url in urls]
    return pa.concat_tables(parts) if parts else parquet.empty(StagedReading).select(columns)
