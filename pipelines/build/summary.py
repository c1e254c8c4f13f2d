"""What `inspect` and the end of a build show of a dataset: tables for a terminal."""

from collections.abc import Sequence

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output.text_table import table
from pipelines.copies import best_copy
from pipelines.dataset import records, tfrecord
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import WRITTEN, File
from pipelines.dataset.records import Record
from pipelines.split import balance
from pipelines.split.folds import WITHDRAWN

_MOST_FINDINGS = 30


def genres_by_folds(dataset: Dataset) -> str:
    """How many songs of each genre each fold holds."""
    folds = list(dataset.folds.values())
    rows = [[genre, *(f.songs.get(genre, 0) for f in folds)] for genre in dataset.genres]
    rows.append(["songs", *(sum(fold.songs.values()) for fold in folds)])
    rows.append(["minutes", *(f"{fold.duration_s / 60:.1f}" for fold in folds)])
    return table(["genre", *dataset.folds, "all"], [[*row, _sum(row[1:])] for row in rows])


def _sum(cells: Sequence[object]) -> object:
    numbers = [float(str(cell)) for cell in cells]
    return f"{sum(numbers):.1f}" if any("." in str(cell) for cell in cells) else int(sum(numbers))


def rejects(dataset: Dataset) -> str:
    """How many files were rejected for each reason, and the sum that must hold."""
    rows = [[reason, count] for reason, count in dataset.rejected.items()]
    rejected = sum(dataset.rejected.values())
    line = f"shown {dataset.shown} = written {dataset.songs} + duplicate {dataset.duplicates} + rejected {rejected}"
    return f"{table(['rejected', 'files'], rows)}\n{line}" if rows else line


def findings(dataset: Dataset) -> str:
    """What a user should know of a dataset's groups, a line each: which are too large, torn apart or contradictory."""
    songs = dataset.ledger()
    lines = [f"unbalanced: {group}" for group in balance.oversized(songs, len(dataset.folds))]
    lines += [
        f"copies disagree: {song.path} is {song.genre}, {other.path} is {other.genre}"
        for song, other in best_copy.genre_conflicts(songs, dataset.copies())
    ]
    lines += [f"withdrawn: {song.path}: {song.error}" for song in songs if song.reason == WITHDRAWN.name]
    copies = sum(bool(song.copy_of) for song in songs)
    lines += [f"copies: {copies} files are copies of others, and share their groups"] if copies else []
    more = [f"... and {len(lines) - _MOST_FINDINGS} lines more"] if len(lines) > _MOST_FINDINGS else []
    return "\n".join([*lines[:_MOST_FINDINGS], *more])


def describe(dataset: Dataset) -> str:
    """A whole dataset: genres by folds, rejects, shards, and each feature's statistics over the train folds."""
    train = dataset.splits()["train"]
    rows = []
    for name, (mean, deviation) in dataset.statistics(train).items():
        info = dataset.features[name]
        figures = (f"{info.frame_rate_hz:.2f}", info.dtype, f"{mean.mean():.2f}", f"{deviation.mean():.2f}")
        rows.append([name, info.bins, *figures])
    features = table(["feature", "bins", "frames/s", "dtype", "train mean", "train deviation"], rows)
    size_mb = sum(shard.bytes for shard in dataset.shards) / 1e6
    shards = f"{len(dataset.shards)} shards, {size_mb:.1f} MB, digest {dataset.digest[:12]}"
    parts = [genres_by_folds(dataset), rejects(dataset), findings(dataset), features, shards]
    return "\n\n".join(part for part in parts if part)


def find_song(dataset: Dataset, name: str) -> File:
    """A song's row of the ledger, by its id or its unmistakable end.

    Raises
    ------
    UsageError
        No song, or more than one, is called so.
    """
    rows = dataset.ledger()
    found = [song for song in rows if song.path == name] or [song for song in rows if song.path.endswith(name)]
    if len(found) != 1:
        few = ", ".join(song.path for song in found[:3])
        raise UsageError(f"{dataset.url}: {len(found)} songs end in {name!r} ({few or 'see its songs.parquet'})")
    return found[0]


def read_song(dataset: Dataset, song: File) -> Record | None:
    """A song's record, or None of a song that is in no shard.

    Raises
    ------
    SpectroshardError
        Its shard is missing or damaged.
    """
    if song.status != WRITTEN:
        return None
    url = storage.join(dataset.url, song.shard)
    try:
        with storage.local_copy(url) as path, path.open("rb") as file:
            for record in map(records.decode, tfrecord.read_records(file)):
                if record.id == song.path:
                    return record
    except FileNotFoundError as error:
        raise SpectroshardError(f"{url}: is missing; build the dataset again") from error
    except SpectroshardError as error:
        raise SpectroshardError(f"{url}: {error}") from error
    raise SpectroshardError(f"{url}: does not hold {song.path}; build the dataset again")


def describe_song(song: File) -> str:
    """A song's row of the ledger, a line each column."""
    width = max(map(len, vars(song)))
    plain = {name: f"{len(value)} bytes" if isinstance(value, bytes) else value for name, value in vars(song).items()}
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in plain.items())
