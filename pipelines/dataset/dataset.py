"""The dataset: what the `dataset.json` of a version says, which is all that a reader may rely on."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
import pydantic
from numpy.typing import NDArray

from pipelines.common import parquet, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.manifest_file import FolderManifest
from pipelines.common.section import Section, digest
from pipelines.config import SPLITS, BuildConfig, FoldsConfig, StorageType
from pipelines.dataset import splits
from pipelines.dataset.ledger import Copy, File
from pipelines.dataset.readings import Fingerprint, Reading
from pipelines.dataset.sums import Sums
from pipelines.dataset.unknown import Unknown

SONGS, COPIES, HISTORY, READINGS, FINGERPRINTS, SUMS = (
    "songs", "copies", "history", "readings", "fingerprints", "sums"
)  # fmt: skip
"""The tables."""


Sha256 = Annotated[str, pydantic.StringConstraints(pattern="^[0-9a-f]{64}$")]
FoldName = Annotated[str, pydantic.StringConstraints(pattern="^[a-z0-9-]+$")]


class FeatureInfo(Section):
    """A feature as it is stored.

    Attributes
    ----------
    bins : int
        Columns of its arrays.
    frame_rate_hz : float
        Rows per second.
    dtype : 'float16' or 'uint8'
        Its type on disk.
    """

    bins: int
    frame_rate_hz: float
    dtype: StorageType


class Fold(Section):
    """What a fold holds.

    Attributes
    ----------
    songs : dict of int
        How many records of each genre it holds.
    duration_s : float
        Seconds of audio.
    sums : dict of Sums
        Of each feature, over all its records.
    """

    songs: dict[str, int]
    duration_s: float
    sums: dict[str, Sums]


class Shard(Section):
    """A TFRecord file of one fold.

    Attributes
    ----------
    name : str
        Its path in the dataset's folder; its content names it.
    fold : str
        The fold that all its records are in.
    songs : int
        How many records it holds.
    bytes : int
        Its size.
    sha256 : str
        Of the file, in hexadecimal.
    """

    name: str
    fold: FoldName
    songs: int
    bytes: int
    sha256: Sha256

    @pydantic.model_validator(mode="after")
    def _is_named_by_its_content(self) -> Self:
        if not re.fullmatch(rf"shards/[0-9]{{6}}/{re.escape(self.fold)}-{self.sha256[:16]}\.tfrecord", self.name):
            raise ValueError(f"{self.name!r} is no name of a shard of {self.fold} with SHA-256 {self.sha256[:16]}...")
        return self


class Table(Section):
    """A Parquet file of a table; a large table may have several.

    Attributes
    ----------
    name : str
        Its path in the dataset's folder; its content names it.
    rows : int
        How many it holds.
    bytes : int
        Its size.
    sha256 : str
        Of the file, in hexadecimal.
    """

    name: str
    rows: int
    bytes: int
    sha256: Sha256

    @staticmethod
    def name_of(table: str, sha256: str) -> str:
        """The name of a table's file of this content."""
        return f"tables/{table}-{sha256[:16]}.parquet"


class Search(Section):
    """How copies were searched for.

    Attributes
    ----------
    version : int
        Of the search: what another one found is not taken over.
    recordings : int
        How many were compared, those of the history included.
    recall : str
        What share of copies such a search finds, as it was measured.
    """

    version: int
    recordings: int
    recall: str


class Dataset(FolderManifest):
    """One version of a dataset. Its digest covers, by the checksums of shards and tables, everything in it.

    Attributes
    ----------
    format : int
        The version of this layout.
    version : int
        Its number, from 1.
    ancestors : tuple of str
        The digests of the versions that this one goes on from, the oldest first.
    config : BuildConfig
        What built it: the sections of a build, every key with its value.
    root : str
        Where the corpus was, by path or URL: what the files' URIs are relative to.
    listing : str
        A digest of what the build was shown.
    reading : str
        A digest of all that decides what reading a file gives.
    genres : tuple of str
        Sorted. This is the one order of labels: a genre's label is its index here.
    features : dict of FeatureInfo
        Of each feature, how it is stored.
    folds : dict of Fold
        Of each fold, what it holds.
    shards : tuple of Shard
        Sorted by name. No other file of the folder `shards` belongs to this version.
    tables : dict of tuple of Table
        Of each table its files, whose rows are one table.
    search : Search
        How copies were searched for, and how well such a search finds them.
    shown : int
        How many files the build was shown: written, duplicate and rejected.
    duplicates : int
        How many files have no record of their own, as another file has the same or a better one.
    rejected : dict
        How many files were rejected for each reason.
    unknown : Unknown
        What is not known of the files that are used, and so was not compared.
    """

    KIND = "dataset"
    MADE_BY = "build"

    format: Literal[5] = 5
    version: int
    ancestors: tuple[str, ...]
    config: BuildConfig
    root: str
    listing: str
    reading: str
    genres: tuple[str, ...]
    features: dict[str, FeatureInfo]
    folds: dict[str, Fold]
    shards: tuple[Shard, ...]
    tables: dict[str, tuple[Table, ...]]
    search: Search
    shown: int
    duplicates: int
    rejected: dict[str, int]
    unknown: Unknown

    @pydantic.model_validator(mode="after")
    def _files_have_the_names_that_the_format_gives(self) -> Self:
        for table, parts in self.tables.items():
            for part in parts:
                if part.name != Table.name_of(table, part.sha256):
                    raise ValueError(f"{part.name!r} is no name of a table {table} with SHA-256 {part.sha256[:16]}...")
        for shard in self.shards:
            if shard.fold not in self.folds:
                raise ValueError(f"{shard.name} is of {shard.fold}, which is none of the folds")
        return self

    @property
    def digest(self) -> str:
        """A digest of what the version holds, wherever its corpus lies and whatever the files' times are."""
        left_out: Any = {"config": {"corpus", "build"}, "root": True, "listing": True, "reading": True}
        # Without defaults: a version of this program that has more settings gives the same.
        values = self.model_dump(mode="json", exclude=left_out, exclude_defaults=True)
        del values["tables"][READINGS]
        return digest(values)

    @property
    def name(self) -> str:
        """The dataset and its version, as a user names them.

        >>> Dataset.model_construct(url="music", version=7).name
        'music@7'
        """
        return f"{self.url}@{self.version}"

    @property
    def files(self) -> tuple[Shard | Table, ...]:
        """All files that it names: its shards, and then those of its tables."""
        return (*self.shards, *(part for parts in self.tables.values() for part in parts))

    @property
    def songs(self) -> int:
        """How many records the shards hold."""
        return sum(shard.songs for shard in self.shards)

    def ledger(self) -> list[File]:
        """A row for every file that the build was shown."""
        return self.rows(SONGS, File)

    def history(self) -> list[File]:
        """A row for every recording that once had a fold and has none now."""
        return self.rows(HISTORY, File)

    def recordings(self) -> set[str]:
        """The content hashes of all recordings that have a fold or once had one, without making rows of the tables."""
        tables = [self.arrow(part) for name in (SONGS, HISTORY) for part in self.tables[name]]
        return {
            content_hash
            for rows in tables
            for content_hash, fold in zip(rows["content_hash"].to_pylist(), rows["fold"].to_pylist(), strict=True)
            if fold
        }

    def copies(self) -> list[Copy]:
        """The near copies among all recordings that this version and earlier ones were shown, by content hash."""
        return self.rows(COPIES, Copy)

    def readings(self) -> list[Reading]:
        """What reading each file told."""
        return self.rows(READINGS, Reading)

    def fingerprints(self) -> dict[str, bytes]:
        """The fingerprints of all recordings that this version and earlier ones were shown, by content hash."""
        return {row.content_hash: row.fingerprint for row in self.rows(FINGERPRINTS, Fingerprint)}

    def rows(self, table: str, kind: type[Any]) -> list[Any]:
        """The rows of a table, in its order.

        Raises
        ------
        SpectroshardError
            A file of it is missing, or not the one that was published.
        """
        return [row for part in self.tables[table] for row in parquet.rows_of(self.arrow(part), kind)]

    def arrow(self, part: Table) -> Any:
        """A file of a table as a `pyarrow.Table`, checked."""
        url = storage.join(self.url, part.name)
        try:
            content = storage.read_bytes(url)
        except FileNotFoundError as error:
            raise SpectroshardError(f"{url}: is missing; spectroshard verify tells what else is") from error
        if hashlib.sha256(content).hexdigest() != part.sha256:
            raise SpectroshardError(
                f"{url}: is damaged (its SHA-256 is not the one that {self.name} was published with); restore it from a"
                " copy, or build a new dataset with --previous naming a version that is whole (verify tells which)"
            )
        return parquet.table(content)

    def splits(self, config: FoldsConfig | None = None) -> dict[str, tuple[str, ...]]:
        """The folds of `train`, `validation` and `test`, by this configuration or the dataset's own."""
        if config is not None:
            split_of = splits.split_of_folds(config, list(self.folds))
        else:
            # What it says itself may be empty by now: a fold whose songs have all left.
            split_of = {fold: splits.split_of(fold, self.config.folds) for fold in self.folds}
        return {name: tuple(f for f, s in sorted(split_of.items()) if s == name) for name in SPLITS}

    def shards_of(self, names: Sequence[str]) -> list[Shard]:
        """The shards of some folds."""
        return [shard for shard in self.shards if shard.fold in names]

    def songs_of(self, names: Sequence[str]) -> dict[str, int]:
        """How many records of each genre some folds hold, in the order of the labels."""
        return {genre: sum(self.folds[name].songs.get(genre, 0) for name in names) for genre in self.genres}

    def statistics(self, names: Sequence[str]) -> Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Each feature's mean and standard deviation by bin, over some folds and nothing else."""
        holding = [self.folds[name] for name in names if self.folds[name].sums]
        return {
            feature: Sums.total(fold.sums[feature] for fold in holding).mean_and_deviation()
            for feature in self.features
        }
