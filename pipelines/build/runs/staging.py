"""Staged readings: records that are made and in no version yet, so that what a killed run has read is not read again.

A worker collects records in a pack on its own disk. When it flushes, first the pack goes to the staging folder and then
the table of the readings that are in it, both under names that nobody else gives. So whatever a table names is there,
and what late or repeated attempts write is one more table that says the same. A table's name has the size of its pack:
what a disk has lost since is seen in the listing, and read again. So no worker waits until the disk has what it staged:
what a power cut spoils, a table or a record, has no valid checksum, and is made again.
"""

import contextlib
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

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
        self._pack: Path | None = None
        self._readings: list[StagedReading] = []
        self._since_s = time.monotonic()

    @property
    def pack(self) -> Path:
        """The local file to whose end the record of the next reading is to be written, framed."""
        if self._pack is None:
            self._pack = self._open.enter_context(storage.writing(self._url + _PACK_SUFFIX, is_lasting=False))
            self._pack.touch()
        return self._pack

    def add(self, reading: StagedReading, length: int) -> None:
        """Adds a reading, whose record is the last so many bytes of the pack; what is in hand is flushed when due."""
        size = self._size()
        if length:
            reading = replace(reading, pack=self._url + _PACK_SUFFIX, offset=size - length, length=length)
        self._readings.append(reading)
        if size > MOST_BYTES or time.monotonic() - self._since_s > _MOST_S:
            self.flush()

    def flush(self) -> None:
        """Stages what was added since the last time."""
        size = self._size()
        self._open.close()  # the pack appears
        if self._readings:
            parquet.write(f"{self._url}-{size}{_TABLE_SUFFIX}", StagedReading, self._readings, is_lasting=False)
        self._begin()

    def _size(self) -> int:
        return self._pack.stat().st_size if self._pack else 0

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if kind is None:
            self.flush()
        else:
            self._open.__exit__(kind, error, trace)


def tables(folder: str) -> list[str]:
    """The URLs of all tables of staged readings below a folder whose packs are whole, sorted."""
    sizes = storage.sizes(folder)
    names = [name for name in sizes if name.endswith(_TABLE_SUFFIX)]
    return sorted(storage.join(folder, name) for name in names if _has_its_pack(name, sizes))


def _has_its_pack(name: str, sizes: Mapping[str, int]) -> bool:
    stem, _, pack_bytes = name.removesuffix(_TABLE_SUFFIX).rpartition("-")
    return int(pack_bytes) == sizes.get(stem + _PACK_SUFFIX, 0)


def read(urls: Iterable[str], columns: list[str]) -> Any:
    """Some columns of tables of staged readings, as one `pyarrow.Table`.

    A damaged table counts as none: what it told is read again.
    """
    wanted = parquet.empty(StagedReading).select(columns)
    found = (_intact(url, wanted.schema) for url in urls)
    return pa.concat_tables([wanted, *(table for table in found if table is not None)])


def _intact(url: str, schema: pa.Schema) -> pa.Table | None:
    content = storage.read_bytes(url)
    try:
        found = parquet.table(content, schema.names)
    except (pa.ArrowException, OSError):  # as the decompression's
        return None
    return found if found.schema.equals(schema) else None
