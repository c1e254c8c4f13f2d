"""Which copies tie songs together, and which are idents that the configuration lets pass."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from pipelines.config import FoldsConfig
from pipelines.copies.idents import Ident, find_idents
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import Copy, File
from pipelines.split.groups import groups_of
from pipelines.split.history import without_outdated_fields

_MOST_NAMED = 3
_UNSURE_S = 0.5  # as fingerprints tell no more exactly how long a stretch is


@dataclass(frozen=True)
class JudgedCopies:
    """Copies, judged by a configuration.

    Attributes
    ----------
    tying : sequence of Copy
        What ties two recordings: of each pair one row, of the longest such stretch.
    tying_idents : tuple of Ident
        The stretches among these that many songs share.
    passed : tuple of Ident
        Those that `folds.shared_stretch_s` lets pass.
    """

    tying: Sequence[Copy]
    tying_idents: tuple[Ident, ...] = ()
    passed: tuple[Ident, ...] = ()


def judge_copies(files: Iterable[File], copies: Sequence[Copy], config: FoldsConfig) -> JudgedCopies:
    """Judges which copies tie songs together.

    An ident passes that is no longer than `folds.shared_stretch_s`, where at least `idents.LEAST_GROUPS` groups have it
    that nothing else ties.

    Parameters
    ----------
    files : iterable of File
        All that have been shown, of earlier versions too.
    copies : sequence of Copy
        By content hash, of all of these.
    config : FoldsConfig

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", content_hash=f"{n}") for n in range(9)]
    >>> copies = [Copy(f"{n}", f"{n + 1}", 0.0, 0.1, 7.0, 1.0, 0.0, may_be_ident=True) for n in range(8)]
    >>> copies += [Copy("2", "3", 20.0, 12.0, 9.0, 1.0, 0.0)]  # which share more than the ident
    >>> len(judge_copies(files, copies, FoldsConfig()).tying)
    8
    >>> judge_copies(files, copies, FoldsConfig(shared_stretch_s=8)).tying == copies[-1:]
    True
    """
    doubtful = [copy for copy in copies if copy.may_be_ident]
    if not doubtful:
        return JudgedCopies(copies)
    files = list(files)
    groups = groups_of(files, config.group_by, [copy for copy in copies if not copy.may_be_ident])
    group_of = {file.content_hash: group for file, group in zip(files, groups, strict=True)}
    found = find_idents(doubtful, group_of)
    most_s = config.shared_stretch_s + _UNSURE_S if config.shared_stretch_s else 0.0
    passed = tuple(ident for ident in found if ident.duration_s <= most_s)
    passing = {copy for ident in passed for copy in ident.copies}
    tying: dict[tuple[str, str], Copy] = {}
    for copy in copies:
        if copy not in passing:
            pair = copy.first, copy.second
            tying[pair] = max(tying.get(pair, copy), copy, key=lambda one: one.duration_s)
    return JudgedCopies(list(tying.values()), tuple(ident for ident in found if ident not in passed), passed)


def judge_copies_of(dataset: Dataset, files: Sequence[File], copies: Sequence[Copy] | None = None) -> JudgedCopies:
    """Judges the copies among all that a dataset was ever shown, by its own configuration.

    Parameters
    ----------
    dataset : Dataset
    files : sequence of File
        Its ledger.
    copies : sequence of Copy
        Default: what its build found.
    """
    shown = chain(files, without_outdated_fields(dataset.history(), files))
    return judge_copies(shown, dataset.copies() if copies is None else copies, dataset.config.folds)


def sentences(judged: JudgedCopies, files: Iterable[File]) -> list[str]:
    """What a user must be told of the stretches that many songs share, a line each: those that tie them first.

    Examples
    --------
    >>> files = [File(f"{n}.wav", "", content_hash=f"{n}") for n in range(9)]
    >>> copies = [Copy(f"{n}", f"{n + 1}", 0.0, 0.1, 6.91, 1.0, 0.0, may_be_ident=True) for n in range(8)]
    >>> print(*sentences(judge_copies(files, copies, FoldsConfig()), files))
    9 files share a stretch of 6.9 s (0.0-6.9 s of 0.wav, 0.1-7.0 s of 1.wav, 0.1-7.0 s of 2.wav, ...), and so are one \
group: if it is an ident, such as a station's, and not music of its own, folds.shared_stretch_s=7 lets it pass
    >>> print(*sentences(judge_copies(files, copies, FoldsConfig(shared_stretch_s=8)), files))
    9 files share a stretch of 6.9 s (0.0-6.9 s of 0.wav, 0.1-7.0 s of 1.wav, 0.1-7.0 s of 2.wav, ...), which \
folds.shared_stretch_s lets pass
    """
    files = sorted(files, key=lambda file: file.path) if judged.tying_idents or judged.passed else []
    tying = (
        f"{_in_words(ident, files)}, and so are one group: if it is an ident, such as a station's, and not music"
        f" of its own, folds.shared_stretch_s={math.ceil(ident.duration_s)} lets it pass"
        for ident in judged.tying_idents
    )
    passed = (f"{_in_words(ident, files)}, which folds.shared_stretch_s lets pass" for ident in judged.passed)
    return [*tying, *passed]


def _in_words(ident: Ident, files: Iterable[File]) -> str:
    begins_s = ident.begins_s
    having = [(file.path, begins_s[file.content_hash]) for file in files if file.content_hash in begins_s]
    few = [f"{begin_s:.1f}-{begin_s + ident.duration_s:.1f} s of {path}" for path, begin_s in having[:_MOST_NAMED]]
    more = ["..."] if len(having) > _MOST_NAMED else []
    return f"{len(having):,} files share a stretch of {ident.duration_s:.1f} s ({', '.join([*few, *more])})"
