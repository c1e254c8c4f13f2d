"""The best copy: which of the files of one recording is the best, and which are duplicates of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pipelines.dataset.ledger import DUPLICATE, REJECTED, Copy, File, written

_LEAST_SHARE, _NEARLY_ALL = 0.5, 0.9
_LOSSLESS = frozenset({".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".w64", ".wav", ".wave", ".wv"})


def mark_duplicates(files: Sequence[File], copies: Sequence[Copy], drop: bool) -> list[File]:
    """Files, each duplicate naming the file that it copies.

    A file is a duplicate where a better file of its group contains at least half of it, at the same tempo; or where a
    duplicate of that file contains nearly all of it, since of many copies not all pairs are found. Better is, in this
    order: longer by a second, of a higher sample rate, of more channels, lossless, first by path.

    Parameters
    ----------
    files : sequence of File
        With groups. Rejected ones pass unchanged.
    copies : sequence of Copy
        By content hash.
    drop : bool
        Whether duplicates are left out of the dataset: status `duplicate`.

    Examples
    --------
    >>> files = [File("a.mp3", "", group="g", content_hash="x"), File("a.flac", "", group="g", content_hash="x")]
    >>> [(file.path, file.status, file.copy_of) for file in mark_duplicates(files, [], drop=True)]
    [('a.mp3', 'duplicate', 'a.flac'), ('a.flac', 'written', '')]
    """
    seconds_of: dict[str, dict[str, float]] = defaultdict(dict)
    for copy in copies:
        if copy.tempo == 1.0:
            seconds_of[copy.first][copy.second] = seconds_of[copy.second][copy.first] = copy.duration_s
    originals: dict[str, list[File]] = defaultdict(list)
    original_of: dict[str, File] = {}
    of_content: dict[str, File] = {}  # the originals of duplicates
    for file in sorted(written(files), key=_best_first):
        near = seconds_of[file.content_hash]
        original = _original(file, originals[file.group], near) or _original_of_copy(file, of_content, near)
        if original is None:
            originals[file.group].append(file)
        else:
            original_of[file.path] = of_content[file.content_hash] = original
    return [_named(file, original_of.get(file.path), drop) for file in files]


def genre_conflicts(files: Sequence[File], copies: Sequence[Copy]) -> list[tuple[File, File]]:
    """Pairs of files that share a recording, or a stretch of one, but not the genre; of each content the first file."""
    by_content: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if file.content_hash and file.status != REJECTED:
            by_content[file.content_hash].append(file)
    alike = [(same[0], other) for same in by_content.values() for other in same[1:]]
    near = [(copy.first, copy.second) for copy in copies if copy.first in by_content and copy.second in by_content]
    alike += [(by_content[first][0], by_content[second][0]) for first, second in near]
    return [(file, other) for file, other in alike if file.genre != other.genre]


def _original(file: File, originals: Sequence[File], seconds_of: Mapping[str, float]) -> File | None:
    for original in originals:
        is_same = original.content_hash == file.content_hash
        if is_same or seconds_of.get(original.content_hash, 0.0) >= _LEAST_SHARE * file.duration_s:
            return original
    return None


def _original_of_copy(file: File, of_content: Mapping[str, File], seconds_of: Mapping[str, float]) -> File | None:
    copies = sorted(content for content, seconds in seconds_of.items() if seconds >= _NEARLY_ALL * file.duration_s)
    return next((of_content[content] for content in copies if content in of_content), None)


def _named(file: File, original: File | None, drop: bool) -> File:
    if original is None:
        return file
    return replace(file, copy_of=original.path, status=DUPLICATE if drop else file.status)


def _best_first(file: File) -> tuple[float, int, int, bool, str]:
    is_lossy = PurePosixPath(file.path).suffix.lower() not in _LOSSLESS
    return -round(file.duration_s), -file.sample_rate_hz, -file.channels, is_lossy, file.path
