"""What a bundle was trained on: the content hashes of its songs, in the bundle itself.

A bundle that goes on from another one has the other's file too, so that readers take several.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pipelines.common import parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.section import Section
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import written

AGAIN = "copy the bundle again, whole, or remove its folder and train again"
"""What helps where a file of a bundle is missing or damaged."""


@dataclass(frozen=True, slots=True)
class TrainedSong:
    """A song that a network was trained, or chosen and calibrated, on.

    Attributes
    ----------
    content_hash : str
        As in the ledger.
    split : 'train' or 'validation'
    """

    content_hash: str
    split: str


class TrainedSongs(Section):
    """A file of trained songs.

    Attributes
    ----------
    name : str
        In the bundle's folder; its content names it.
    songs : int
    sha256 : str
        Of the file, in hexadecimal.
    """

    name: str
    songs: int
    sha256: str

    @classmethod
    def write(cls, url: str, dataset: Dataset, splits: Mapping[str, Sequence[str]]) -> Self:
        """Writes the songs of the folds of `train` and `validation` into a bundle's folder."""
        rows = {
            TrainedSong(file.content_hash, split)
            for split in ("train", "validation")
            for file in written(dataset.ledger())
            if file.fold in splits[split]
        }
        ordered = sorted(rows, key=lambda row: (row.split, row.content_hash))
        content = parquet.encode(TrainedSong, ordered)
        sha256 = hashlib.sha256(content).hexdigest()
        name = f"trained-{sha256[:16]}.parquet"
        storage.write_bytes(storage.join(url, name), content)
        return cls(name=name, songs=len(ordered), sha256=sha256)

    def read(self, url: str) -> list[TrainedSong]:
        """The songs, from a bundle's folder.

        Raises
        ------
        SpectroshardError
            The file is missing, or not the one that was written.
        """
        at = storage.join(url, self.name)
        try:
            content = storage.read_bytes(at)
        except FileNotFoundError as error:
            raise SpectroshardError(f"{at}: is missing; {AGAIN}") from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise SpectroshardError(f"{at}: is damaged (its SHA-256 is not the bundle's); {AGAIN}")
        return list(parquet.rows_of(parquet.table(content), TrainedSong))
