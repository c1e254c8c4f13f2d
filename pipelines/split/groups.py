"""Groups: files that must stay on one side of every split."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pipelines.dataset.ledger import Copy, File
from pipelines.split import evidence

_CONTENT = f"{evidence.HASH.tie}:"


def with_groups(files: Sequence[File], group_by: str, copies: Sequence[Copy] = ()) -> list[File]:
    """Files with their groups.

    Files of the same song, with the same decoded samples, or that share a stretch of one recording, share a group; so
    do files that share what `group_by` names. Sharing is transitive: where an artist's song has a second file that
    credits another artist, both artists' files are one group.

    Parameters
    ----------
    files : sequence of File
    group_by : str
        `folds.group_by`: the optional evidence that ties files too, or `song` for none.
    copies : sequence of Copy
        By content hash.

    Returns
    -------
    list of File
        In the same order. A group is named after the alphabetically first of its files' keys, a content hash last.

    Examples
    --------
    >>> files = [
    ...     File("a.wav", "", song="One", artist="Ann"),
    ...     File("b.wav", "", song="One", artist="Bob"),
    ...     File("c.wav", "", artist="bob"),
    ...     File("d.wav", ""),
    ... ]
    >>> [file.group for file in with_groups(files, "artist")]
    ['artist:ann', 'artist:ann', 'artist:ann', 'file:d.wav']
    >>> [file.group for file in with_groups(files, "song")]
    ['song:One', 'song:One', 'file:c.wav', 'file:d.wav']
    """
    keys = [_keys(file, group_by) for file in files]
    name_of = _join([*keys, *([_CONTENT + copy.first, _CONTENT + copy.second] for copy in copies)])
    return [replace(file, group=name_of[own[0]]) for file, own in zip(files, keys, strict=True)]


def _keys(file: File, group_by: str) -> list[str]:
    keys = evidence.ties(file, group_by)
    # A file that names no song is a song of its own. Rows of earlier builds, which `history.without_outdated_fields`
    # leaves without a path, go by their content: any two of them would otherwise share `file:`.
    is_own_song = not file.song and (file.path or not file.content_hash)
    return [f"file:{file.path}", *keys] if is_own_song else keys


def _join(tied: Iterable[Sequence[str]]) -> dict[str, str]:
    """The first of all keys that each key is tied to, directly or through others (union-find).

    >>> _join([["song:b", "song:a"], ["song:b", "song:c"], ["song:d"]])
    {'song:b': 'song:a', 'song:a': 'song:a', 'song:c': 'song:a', 'song:d': 'song:d'}
    """
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
