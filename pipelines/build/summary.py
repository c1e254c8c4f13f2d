"""Summaries of a dataset for a terminal, as `inspect` and the end of a build print them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.common import parquet
from pipelines.common.output.text_table import table
from pipelines.common.output.words import counted, some_of
from pipelines.copies import best_copy
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT
from pipelines.corpus.names.song_names import summarise_segments
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.layout import SHARDS
from pipelines.dataset.ledger import REJECTED, File
from pipelines.split import balance
from pipelines.split.folds import WITHDRAWN
from pipelines.split.idents import judge_copies_of, sentences

if TYPE_CHECKING:
    from pipelines.build.build import Built

_MOST_FINDINGS, _MOST_GENRES = 30, 10


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
    line = f"{dataset.shown} files found: {dataset.songs} written, {dataset.duplicates} duplicates, {rejected} rejected"
    return f"{table(['rejected', 'files'], rows)}\n{line}" if rows else line


def findings(dataset: Dataset) -> str:
    """What a user should know of a dataset's groups, a line each."""
    files = dataset.ledger()
    segments = summarise_segments(files)
    lines = [f"segments: {segments}"] if segments else []
    lines += [f"left out: {genre}" for genre in balance.lone_genres(files)]
    lines += _missing_genres(dataset)
    judged = judge_copies_of(dataset, files)
    lines += [f"shared: {sentence}" for sentence in sentences(judged, files)]
    lines += [f"unbalanced: {group}" for group in balance.oversized(files, len(dataset.folds))]
    lines += [
        f"copies disagree: {file.path} is {file.genre}, {other.path} is {other.genre}"
        for file, other in best_copy.genre_conflicts(files, judged.tying)
    ]
    outside = [file.error for file in files if file.reason == OUTSIDE_ROOT.name]
    lines += [f"outside the corpus: {counted(len(outside), 'row')} of the ledger, as {outside[0]}"] if outside else []
    lines += [f"withdrawn: {file.path}: {file.error}" for file in files if file.reason == WITHDRAWN.name]
    copies = sum(bool(file.copy_of) for file in files)
    lines += [f"copies: {copies} files are copies of others, and share their groups"] if copies else []
    more = [f"... and {len(lines) - _MOST_FINDINGS} more"] if len(lines) > _MOST_FINDINGS else []
    return "\n".join([*lines[:_MOST_FINDINGS], *more])


def _missing_genres(dataset: Dataset) -> list[str]:
    """Which splits have no song of which genres, a line for each split that lacks one."""
    lines = []
    for split, folds in dataset.splits().items():
        missing = [genre for genre, songs in dataset.songs_of(folds).items() if not songs]
        if len(missing) == len(dataset.genres):
            lines.append(f"{split}: has no song")
        elif missing:
            lines.append(f"{split}: has no song of {some_of(missing, _MOST_GENRES)}; fewer folds.count may help")
    return lines


def summarise_dataset(dataset: Dataset) -> str:
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
    unknown = "\n".join(dataset.unknown.sentences())
    parts = [genres_by_folds(dataset), rejects(dataset), findings(dataset), features, shards, unknown]
    return "\n\n".join(part for part in parts if part)


def summarise_build(built: "Built") -> str:
    """What a build has published, and how fast it was."""
    dataset = built.dataset
    duration_s = sum(fold.duration_s for fold in dataset.folds.values())
    new = sum(shard.name.startswith(f"{SHARDS}/{dataset.version:06d}/") for shard in dataset.shards)
    is_whole = built.songs_read >= dataset.shown
    speed = f", {duration_s / built.elapsed_s:.0f} times real time" if is_whole else ""
    return (
        f"{dataset.url}: version {dataset.version}, {dataset.songs} songs, {duration_s:.0f} s of audio"
        f" in {len(dataset.shards)} shards, {new} of them new; read {built.songs_read} files"
        f" in {built.elapsed_s:.1f} s{speed}"
    )


def summarise_versions(url: str) -> str:
    """The versions of a dataset, a line each, the newest last.

    Raises
    ------
    UsageError
        There is no dataset.
    """
    numbers = versions.numbers(url) or [Dataset.load(url).version]
    rows = []
    for number in numbers:
        dataset = versions.version(url, number)
        rejected, size_mb = sum(dataset.rejected.values()), sum(shard.bytes for shard in dataset.shards) / 1e6
        own = sum(shard.name.startswith(f"{SHARDS}/{number:06d}/") for shard in dataset.shards)
        counts = (dataset.shown, dataset.songs, dataset.duplicates, rejected, len(dataset.shards), own)
        rows.append([number, *counts, f"{size_mb:.1f}", dataset.digest[:12]])
    head = ["version", "files", "written", "duplicates", "rejected", "shards", "new", "MB", "digest"]
    return table(head, rows)


def summarise_rejects(files: Sequence[File]) -> str:
    """The rejected files of a ledger, a line each, with the reason and the error."""
    return "\n".join(f"{file.path}: {file.reason} ({file.error})" for file in files if file.status == REJECTED)


def summarise_file(file: File) -> str:
    """A file's row of the ledger, a line for each column."""
    values = {name: getattr(file, name) for name in parquet.schema(File).names}
    width = max(map(len, values))
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, value in values.items())
