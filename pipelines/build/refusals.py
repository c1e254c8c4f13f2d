"""What a build refuses: an output that is not its own, and a corpus of which too much cannot be used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.audio.decode import UNREADABLE
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.config import BuildConfig
from pipelines.corpus import manifest
from pipelines.corpus.manifest import NO_GENRE, OUTSIDE_ROOT
from pipelines.dataset import ledger
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import DUPLICATE, REJECTED, File
from pipelines.split import balance
from pipelines.split.folds import LONE_GENRE

_MOST_SHOWN = 3


def refuse_output_in_corpus(output: str, corpus: str) -> None:
    """Refuses an output that is the folder of the music, or lies in it: a command writes to a folder of its own."""
    music = storage.absolute(corpus) if corpus else ""
    if music and storage.is_folder(music) and f"{storage.absolute(output)}/".startswith(f"{music.rstrip('/')}/"):
        raise UsageError(f"{output}: is in the music's own folder, {music}; give an --output outside it")


def refuse_other_config(existing: Dataset, config: BuildConfig) -> None:
    """Refuses to build where a dataset of another configuration is."""
    if existing.config.digest() != config.digest():
        changes = ", ".join(_changes(existing.config, config))
        raise UsageError(f"{existing.url}: is a dataset of another configuration ({changes}); give a new --output")


def _changes(old: BuildConfig, new: BuildConfig) -> Iterator[str]:
    before, after = _flat(old.decisive_values()), _flat(new.decisive_values())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield f"{key} was {before.get(key)}, is {after.get(key)}"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested mapping with dotted keys.

    >>> _flat({"folds": {"count": 5, "seed": 0}})
    {'folds.count': 5, 'folds.seed': 0}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


def refuse_other_files(existing: Dataset, plan_digest: str, files: Sequence[File]) -> None:
    """Refuses to build where a dataset of other files is, or of the same files in other folds."""
    if existing.plan == plan_digest:
        return
    before, after = ({file.path: file for file in shown} for shown in (existing.ledger(), files))

    def differing(*keys: str) -> int:
        both = before.keys() & after.keys()
        return sum(any(getattr(before[i], key) != getattr(after[i], key) for key in keys) for i in both)

    more, fewer = after.keys() - before.keys(), before.keys() - after.keys()
    raise UsageError(
        f"{existing.url}: is a dataset of another corpus ({len(more)} files more, {len(fewer)} fewer,"
        f" {differing('status', 'genre', 'group', 'content_hash')} changed, {differing('fold')} in another fold),"
        " or was built from another --previous; give a new --output, and this one as --previous to keep its folds"
    )


def refuse_rejects(files: Sequence[File], config: BuildConfig, ledger_url: str) -> None:
    """Refuses a corpus of which all is rejected, or more than `build.max_reject_share`."""
    counts = ledger.count_rejects(files)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    if sum(counts.values()) == len(files):
        raise SpectroshardError(
            f"all {len(files)} files were rejected ({reasons}); {_way_out(config.corpus.input, set(counts))}"
            f"{_first_rejects(files)}; {ledger_url} has every error"
        )
    # Whether a genre of one group stops a build is for folds.unbalanced to say.
    rejected = sum(count for reason, count in counts.items() if reason != LONE_GENRE.name)
    share, most = rejected / len(files), config.build.max_reject_share
    if share > most:
        raise SpectroshardError(
            f"{rejected} of {len(files)} files were rejected ({reasons}), {share:.1%} where build.max_reject_share"
            f" allows {most:.1%}; {_first_rejects(files)}; nothing is published, {ledger_url} has every error"
        )


def _way_out(corpus: str, reasons: set[str]) -> str:
    """What probably has to be given otherwise, where all files are rejected."""
    if manifest.is_manifest(corpus):
        if reasons & {OUTSIDE_ROOT.name, UNREADABLE.name}:
            return "set corpus.root to the folder that the manifest's paths are relative to; "
    elif NO_GENRE.name in reasons:
        return "give the folder that holds the genre folders; "
    return ""


def _first_rejects(files: Sequence[File]) -> str:
    rejected = [file for file in files if file.status == REJECTED and file.reason != LONE_GENRE.name]
    rejected = rejected or [file for file in files if file.status == REJECTED]
    more = ["..."] if len(rejected) > _MOST_SHOWN else []
    return "; ".join([*(f"{file.path}: {file.error}" for file in rejected[:_MOST_SHOWN]), *more])


def refuse_unbalanced(files: Sequence[File], config: BuildConfig, ledger_url: str) -> None:
    """Refuses, where `folds.unbalanced` says so, groups too large to be divided among the folds equally."""
    groups = balance.oversized(files, len({file.fold for file in ledger.written(files)}))
    if groups and config.folds.unbalanced == "fail":
        raise SpectroshardError(
            f"{'; '.join(map(str, groups))}; nothing is published: fewer folds.count, folds.group_by: song or"
            f" folds.unbalanced: warn would go on, {ledger_url} has every group"
        )


def refuse_lost_originals(files: Sequence[File], ledger_url: str) -> None:
    """Refuses duplicates whose best copy cannot be read any more; another build finds the next best."""
    rejected = {file.path: file for file in files if file.status == REJECTED}
    for file in files:
        if file.status == DUPLICATE and file.copy_of in rejected:
            error = rejected[file.copy_of].error
            raise SpectroshardError(
                f"{file.copy_of} was to stand for its copies, and can be read no more ({error}); nothing is published,"
                f" run the same command again, {ledger_url} has every error"
            )
