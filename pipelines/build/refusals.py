"""What a build refuses: an output that is not its own, and a corpus of which too much cannot be used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.audio.decode import UNREADABLE
from pipelines.audio.guarded import CRASHED
from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.output.words import counted, some_of
from pipelines.config import BuildConfig
from pipelines.corpus.forms import manifest
from pipelines.corpus.forms.manifest import NO_GENRE
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT
from pipelines.dataset import ledger, versions
from pipelines.dataset.dataset import HISTORY, Dataset
from pipelines.dataset.ledger import REJECTED, Copy, File
from pipelines.split import balance, history
from pipelines.split.folds import LONE_GENRE
from pipelines.split.idents import judge_copies, sentences

_MOST_SHOWN = 3


def refuse_output_in_corpus(output: str, corpus: str) -> None:
    """Refuses an output that is the folder of the music, or lies in it: a command writes to a folder of its own."""
    music = storage.absolute(corpus) if corpus else ""
    if music and storage.is_folder(music) and f"{storage.absolute(output)}/".startswith(f"{music.rstrip('/')}/"):
        raise UsageError(f"{output}: is in the music's own folder, {music}; give an --output outside it")


def refuse_other_previous(newest: Dataset, config: BuildConfig) -> None:
    """Refuses to go on from one dataset where another one is, unless that one has gone on from it already."""
    previous = versions.load(storage.absolute(config.build.previous)) if config.build.previous else newest
    if previous.url != newest.url and previous.digest not in newest.ancestors:
        raise UsageError(
            f"{newest.url}: is a dataset that does not go on from {previous.name}, which --previous names;"
            " leave --previous out to add a version to it, or give a new --output"
        )


def refuse_other_lineage(parent: Dataset, config: BuildConfig) -> None:
    """Refuses a configuration whose records, or whose splits, cannot go on from a version."""
    if changes := ", ".join(_changes(parent.config.record_values(), config.record_values())):
        raise UsageError(f"{parent.url}: is a dataset of another configuration ({changes}); give a new --output")
    remembered = {fold for part in parent.tables[HISTORY] for fold in parent.arrow(part)["fold"].unique().to_pylist()}
    try:
        history.refuse_less_protection(parent.config.folds, config.folds, {*parent.folds, *remembered})
    except UsageError as error:
        raise UsageError(f"{parent.url}: {error}") from error


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], section: str = "") -> Iterator[str]:
    """What differs between two nested mappings.

    >>> list(_changes({"fast": True, "mfcc": None, "mel": {"n_mels": 96}}, {"mfcc": {}, "mel": {"n_mels": 128}}))
    ['fast was True, is not set', 'mel.n_mels was 96, is 128', 'mfcc was not set, is set']
    """
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _changes(was, now, f"{section}{key}.")
        elif was != now:
            yield f"{section}{key} was {_in_words(was)}, is {_in_words(now)}"


def _in_words(value: object) -> object:
    return "not set" if value is None else "set" if isinstance(value, Mapping) else value


def refuse_rejects(files: Sequence[File], config: BuildConfig, ledger_url: str) -> None:
    """Refuses a corpus of which all is rejected, or more than `build.max_reject_share`; lone genres do not count."""
    counts = ledger.count_rejects(file for file in files if file.reason != LONE_GENRE.name)
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts.items())
    rejected = sum(counts.values())
    if rejected == len(files):
        raise SpectroshardError(
            f"all {len(files)} files were rejected ({reasons}); {_way_out(config.corpus.input, set(counts))}"
            f"{_first_rejects(files)}; {ledger_url} has every error"
        )
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
    more = ["..."] if len(rejected) > _MOST_SHOWN else []
    return "; ".join([*(f"{file.path}: {file.error}" for file in rejected[:_MOST_SHOWN]), *more])


def refuse_lone_genres(
    files: Sequence[File], copies: Sequence[Copy], config: BuildConfig, ledger_url: str, *, is_first: bool
) -> None:
    """Refuses genres that no two splits can have, unless `folds.lone_genres` drops them and two others are left.

    Parameters
    ----------
    files : sequence of File
    copies : sequence of Copy
    config : BuildConfig
    ledger_url : str
    is_first : bool
        Whether there is no earlier version, whose `folds.group_by` has to stay.
    """
    lone, others = balance.lone_genres(files), {file.genre for file in ledger.written(files)}
    if not lone or (config.folds.lone_genres == "drop" and len(others) > 1):
        return
    ways = ["songs of other artists"]
    helped = [repr(genre.genre) for genre in lone if genre.songs > 1]
    if config.folds.group_by != "song" and helped:
        where = "" if is_first else " in a new --output"
        only = f" for {some_of(helped, _MOST_SHOWN)}" if len(helped) < len(lone) else ""
        ways.append(f"folds.group_by: song{where}{only}, which lets splits share artists,")
    if len(others) > 1:
        ways.append("folds.lone_genres: drop, which leaves these songs out,")
    raise SpectroshardError(
        f"{len(lone)} of {counted(len(lone) + len(others), 'genre')} cannot be split, which takes two groups of songs:"
        f" {'; '.join(map(str, lone))}; {_shared(files, copies, config)}nothing is published: {' or '.join(ways)} would"
        f" go on, {ledger_url} has every group"
    )


def _shared(files: Sequence[File], copies: Sequence[Copy], config: BuildConfig) -> str:
    """The stretches by which many songs are tied together, and the way out."""
    judged = judge_copies(files, copies, config.folds)
    return "".join(f"{sentence}; " for sentence in sentences(judged, files)[: len(judged.tying_idents)])


def refuse_unbalanced(files: Sequence[File], copies: Sequence[Copy], config: BuildConfig, ledger_url: str) -> None:
    """Refuses, where `folds.unbalanced` says so, groups too large to be divided among the folds equally."""
    groups = balance.oversized(files, len({file.fold for file in ledger.written(files)}))
    if groups and config.folds.unbalanced == "fail":
        raise SpectroshardError(
            f"{'; '.join(map(str, groups))}; {_shared(files, copies, config)}nothing is published: fewer folds.count,"
            f" folds.group_by: song or folds.unbalanced: warn would go on, {ledger_url} has every group"
        )


def refuse_lost(files: Sequence[File], earlier: Sequence[File]) -> None:
    """Refuses to publish where a song that could be read once cannot be read now, and is still listed."""
    had_fold = {file.path for file in earlier}
    lost = [
        f for f in files if f.status == REJECTED and f.reason in (UNREADABLE.name, CRASHED.name) and f.path in had_fold
    ]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise SpectroshardError(
            f"{lost[0].path}{more}: could be read once and cannot now ({lost[0].error}); nothing is published:"
            " make it readable, or remove it from the corpus, and run the same command again"
        )
