"""The best copy: which of the files of one recording is the best, and which are duplicates of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pipelines.dataset.ledger import DUPLICATE, REJECTED, WRITTEN, Copy, File, written

_LEAST_SHARE, _NEARLY_ALL = 0.5, 0.9
_LOSSLESS = frozenset({".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".w64", ".wav", ".wave", ".wv"})


def mark_duplicates(files: Sequence[File], copies: Sequence[Copy], drop: bool) -> list[File]:
    """Files, each duplicate naming the file that it copies.

    A file is a duplicate where a better file contains at least half of it, at the same tempo; or where a duplicate of
    that file contains nearly all of it, since of many copies not all pairs are found. Better is, in this order: longer
    by a second, of a higher sample rate, of more channels, lossless, first by path.

    Parameters
    ----------
    files : sequence of File
        Rejected ones pass unchanged.
    copies : sequence of Copy
        By content hash.
    drop : bool
        Whether all duplicates are left out of the dataset: status `duplicate`. Otherwise those alone that have the same
        samples and genre as a better file, as they share its record; the others name what they copy.

    Examples
    --------
    >>> files = [File("a.mp3", "", content_hash="x"), File("a.flac", "", content_hash="x")]
    >>> [(file.path, file.status, file.copy_of) for file in mark_duplicates(files, [], drop=True)]
    [('a.mp3', 'duplicate', 'a.flac'), ('a.flac', 'written', '')]
    """
    seconds_of: dict[str, dict[str, float]] = defaultdict(dict)
    for copy in copies:
        if copy.tempo == 1.0:
            seconds_of[copy.first][copy.second] = seconds_of[copy.second][copy.first] = copy.duration_s
    originals: dict[str, tuple[int, File]] = {}  # by content, the best first
    of_content: dict[str, File] = {}  # the originals of duplicates
    of_record: dict[tuple[str, str], File] = {}  # the best file of each
    found: dict[str, File] = {}
    for file in sorted(_in_company(written(files), seconds_of), key=_best_first):
        original = _original(file, originals, of_content, seconds_of.get(file.content_hash, {}))
        if original is None:
            originals[file.content_hash] = len(originals), file
        else:
            of_content[file.content_hash] = original
        best = of_record.setdefault((file.content_hash, file.genre), file)
        if best is not file and not drop:
            found[file.path] = replace(file, copy_of=best.path, status=DUPLICATE)
        elif original is not None:
            found[file.path] = replace(file, copy_of=original.path, status=DUPLICATE if drop else file.status)
    return [found.get(file.path, file) if file.status == WRITTEN else file for file in files]


def genre_conflicts(files: Sequence[File], copies: Sequence[Copy]) -> list[tuple[File, File]]:
    """Pairs of files that share a recording, or a stretch of one, but not the genre; of each content the first file."""
    by_content: dict[str, list[File]] = defaultdict(list)
    copied = {content for copy in copies for content in (copy.first, copy.second)}
    for file in _in_company([file for file in files if file.status != REJECTED], copied):
        by_content[file.content_hash].append(file)
    alike = [(same[0], other) for same in by_content.values() for other in same[1:]]
    near = [(copy.first, copy.second) for copy in copies if copy.first in by_content and copy.second in by_content]
    alike += [(by_content[first][0], by_content[second][0]) for first, second in near]
    return [(file, other) for file, other in alike if file.genre != other.genre]


def _in_company(files: Sequence[File], copied: Iterable[str]) -> list[File]:
    """The files whose content another has too, or is copied."""
    seen: set[str] = set()
    shared = set(copied)
    for file in files:
        (shared if file.content_hash in seen else seen).add(file.content_hash)
    return [file for file in files if file.content_hash and file.content_hash in shared]


def _original(
    file: File,
    originals: Mapping[str, tuple[int, File]],
    of_content: Mapping[str, File],
    seconds_of: Mapping[str, float],
) -> File | None:
    """The best original that contains half of a file, or else that of a duplicate which contains nearly all of it."""
    half = [content for content, seconds in seconds_of.items() if seconds >= _LEAST_SHARE * file.duration_s]
    containing = [originals[content] for content in (file.content_hash, *half) if content in originals]
    if containing:
        return min(containing)[1]
    nearly = sorted(content for content, seconds in seconds_of.items() if seconds >= _NEARLY_ALL * file.duration_s)
    return next((of_content[content] for content in nearly if content in of_content), None)


def _best_first(file: File) -> tuple[float, int, int, bool, str]:
    is_lossy = PurePosixPath(file.path).suffix.lower() not in _LOSSLESS
    return -round(file.duration_s), -file.sample_rate_hz, -file.channels, is_lossy, file.path
