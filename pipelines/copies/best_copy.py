"""Duplicates: which of the files of one recording is the best, and which are copies of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pipelines.dataset.ledger import DUPLICATE, REJECTED, Copy, File, written

_LEAST_SHARE, _NEARLY_ALL = 0.5, 0.9
_LOSSLESS = frozenset({".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".w64", ".wav", ".wave", ".wv"})


def mark_duplicates(songs: Sequence[File], copies: Sequence[Copy], drop: bool) -> list[File]:
    """Songs, each duplicate naming the song that it copies.

    A song is a duplicate where a better file of its group holds at least half of it, at the same tempo, or where
    nearly all of it is in a duplicate of that file, as of many copies not all pairs are found. Better is, in this
    order: longer by a second, of a higher rate, of more channels, lossless, first by name.

    Parameters
    ----------
    songs : sequence of File
        With groups. Rejected ones pass unchanged.
    copies : sequence of Copy
        By content hash.
    drop : bool
        Whether duplicates are taken out of the dataset: status `duplicate`.
    """
    seconds_of: dict[str, dict[str, float]] = defaultdict(dict)
    for copy in copies:
        if copy.tempo == 1.0:
            seconds_of[copy.first][copy.second] = seconds_of[copy.second][copy.first] = copy.duration_s
    originals: dict[str, list[File]] = defaultdict(list)
    original_of: dict[str, File] = {}
    of_content: dict[str, File] = {}  # of what is a duplicate, the original
    for song in sorted(written(songs), key=_best_first):
        near = seconds_of[song.content_hash]
        original = _original(song, originals[song.group], near) or _original_of_copy(song, of_content, near)
        if original is None:
            originals[song.group].append(song)
        else:
            original_of[song.path] = of_content[song.content_hash] = original
    return [_named(song, original_of.get(song.path), drop) for song in songs]


def genre_conflicts(songs: Sequence[File], copies: Sequence[Copy]) -> list[tuple[File, File]]:
    """Pairs of songs that share a recording, or a stretch of one, but not the genre; of each content the first song."""
    by_content: dict[str, list[File]] = defaultdict(list)
    for song in songs:
        if song.content_hash and song.status != REJECTED:
            by_content[song.content_hash].append(song)
    alike = [(same[0], other) for same in by_content.values() for other in same[1:]]
    near = [(copy.first, copy.second) for copy in copies if copy.first in by_content and copy.second in by_content]
    alike += [(by_content[first][0], by_content[second][0]) for first, second in near]
    return [(song, other) for song, other in alike if song.genre != other.genre]


def _original(song: File, originals: Sequence[File], seconds_of: Mapping[str, float]) -> File | None:
    for original in originals:
        is_same = original.content_hash == song.content_hash
        if is_same or seconds_of.get(original.content_hash, 0.0) >= _LEAST_SHARE * song.duration_s:
            return original
    return None


def _original_of_copy(song: File, of_content: Mapping[str, File], seconds_of: Mapping[str, float]) -> File | None:
    copies = sorted(content for content, seconds in seconds_of.items() if seconds >= _NEARLY_ALL * song.duration_s)
    return next((of_content[content] for content in copies if content in of_content), None)


def _named(song: File, original: File | None, drop: bool) -> File:
    if original is None:
        return song
    return replace(song, copy_of=original.path, status=DUPLICATE if drop else song.status)


def _best_first(song: File) -> tuple[float, int, int, bool, str]:
    is_lossy = PurePosixPath(song.path).suffix.lower() not in _LOSSLESS
    return -round(song.duration_s), -song.sample_rate_hz, -song.channels, is_lossy, song.path
