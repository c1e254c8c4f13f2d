"""Groups: songs that must stay on one side of every split."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from pipelines.corpus.artists import normalised
from pipelines.dataset.ledger import Copy, File

_CONTENT = "content:"


def with_groups(songs: Sequence[File], group_by: Literal["song", "artist"], copies: Sequence[Copy] = ()) -> list[File]:
    """Songs with their groups.

    Files of the same `song`, of the same decoded samples, or that share a stretch of one recording, share a group; by
    artist, so do songs of the same artist. What is shared joins whatever it touches: an artist with one song in two
    files, one of them credited to a second artist, makes one group.

    Parameters
    ----------
    songs : sequence of File
    group_by : 'song' or 'artist'
    copies : sequence of Copy
        By content hash.

    Returns
    -------
    list of File
        In the same order; a group is called after the first name in it, in alphabetical order.
    """
    keys = [_keys(song, group_by) for song in songs]
    name_of = _join([*keys, *([_CONTENT + copy.first, _CONTENT + copy.second] for copy in copies)])
    return [replace(song, group=name_of[own[0]]) for song, own in zip(songs, keys, strict=True)]


def _keys(song: File, group_by: str) -> list[str]:
    keys = []
    if song.song:
        keys.append(f"song:{song.song}")
    elif song.path or not song.content_hash:
        keys.append(f"file:{song.path}")
    if song.content_hash:
        keys.append(f"{_CONTENT}{song.content_hash}")
    if group_by == "artist" and (artist := normalised(song.artist)):
        keys.append(f"artist:{artist}")
    return keys


def _join(tied: Iterable[Sequence[str]]) -> dict[str, str]:
    """The first key that each key is tied to, directly or through others (union-find)."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for keys in tied:
        for key in keys:
            first, other = sorted((root(keys[0]), root(key)), key=_readable_first)
            parent[other] = first
    return {key: root(key) for key in parent}


def _readable_first(key: str) -> tuple[bool, str]:
    return key.startswith(_CONTENT), key
