"""Groups: files that must stay on one side of every split."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipelines.dataset.ledger import Copy, File
from pipelines.split.evidence import HASH, tying

_FILE = "file"


def with_groups(files: Sequence[File], group_by: str, copies: Sequence[Copy] = ()) -> list[File]:
    """Files with their groups, as `groups_of` gives them.

    Examples
    --------
    >>> [file.group for file in with_groups([File("a.wav", "", song="One"), File("d.wav", "")], "song")]
    ['song:one', 'file:d.wav']
    """
    groups = groups_of(files, group_by, copies)
    return [replace(file, group=group) for file, group in zip(files, groups, strict=True)]


def groups_of(files: Iterable[File], group_by: str, copies: Sequence[Copy] = ()) -> list[str]:
    """The groups of files.

    Files of the same song, with the same decoded samples, or that share a stretch of one recording, share a group; so
    do files that share what `group_by` names. Sharing is transitive: where an artist's song has a second file that
    credits another artist, both artists' files are one group.

    Parameters
    ----------
    files : iterable of File
    group_by : str
        `folds.group_by`: the optional evidence that ties files too, or `song` for none.
    copies : sequence of Copy
        By content hash.

    Returns
    -------
    list of str
        A group is named after the alphabetically first of its files' keys, a content hash last.

    Examples
    --------
    >>> files = [
    ...     File("a.wav", "", song="One", artist="Ann"),
    ...     File("b.wav", "", song="One", artist="Bob"),
    ...     File("c.wav", "", artist="bob"),
    ...     File("d.wav", ""),
    ... ]
    >>> groups_of(files, "artist")
    ['artist:ann', 'artist:ann', 'artist:ann', 'file:d.wav']
    >>> groups_of(files, "song")
    ['song:one', 'song:one', 'file:c.wav', 'file:d.wav']
    """
    kinds = tying(group_by)
    keys: dict[str, list[str | None]] = {tie: [] for tie in (*(kind.tie for kind in kinds), _FILE)}
    for file in files:
        keys[_FILE].append(file.path if _is_own_song(file) else None)
        for kind in kinds:
            keys[kind.tie].append(kind.key(file) or None)
    roots = _roots(keys, copies)
    name_of: dict[int, str] = {}
    for root, *own in zip(roots, *keys.values(), strict=True):
        names = [f"{tie}:{key}" for tie, key in zip(keys, own, strict=True) if key is not None]
        name_of[root] = min([*names, name_of.get(root, names[0])], key=_readable_first)
    return [name_of[root] for root in roots]


def _is_own_song(file: File) -> bool:
    """Whether a file names no song, and so is a song of its own.

    Rows of earlier builds, which `history.without_outdated_fields` leaves without a path, go by their content: any two
    of them would otherwise share `file:`.
    """
    return not file.song and bool(file.path or not file.content_hash)


def _roots(keys: Mapping[str, Sequence[str | None]], copies: Sequence[Copy]) -> list[int]:
    """The first of all files that each is tied to, by keys of one kind or by copies, directly or through others.

    >>> _roots({"content": ["x", "y", None], "song": [None, "s", "s"]}, [])
    [0, 1, 1]
    """
    count = len(keys[HASH.tie])
    parent = list(range(count))  # union-find, over numbers as there are many files

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    def join(node: int, other: int) -> None:
        first, last = sorted((root(node), root(other)))
        parent[last] = first

    for tie, column in keys.items():
        node_of: dict[str, int] = {}
        for node, key in enumerate(column):
            if key is not None and (other := node_of.setdefault(key, node)) != node:
                join(node, other)
        for copy in copies if tie == HASH.tie else ():
            for content in (copy.first, copy.second):
                if content not in node_of:  # which only ties others
                    node_of[content] = len(parent)
                    parent.append(len(parent))
            join(node_of[copy.first], node_of[copy.second])
    return [root(node) for node in range(count)]


def _readable_first(key: str) -> tuple[bool, str]:
    return key.startswith(f"{HASH.tie}:"), key
