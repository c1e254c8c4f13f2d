"""Evidence that two files belong on the same side of every split: one table of its kinds.

Groups, history and the audit read this table, so that another kind of evidence is another entry here. A kind that is
metadata also needs its field in `pipelines.dataset.ledger.File`, which manifests then have a column for; one that is
optional, its name among the values of `folds.group_by`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pipelines.corpus.names.artists import normalised
from pipelines.corpus.names.folding import caseless
from pipelines.dataset.ledger import File

# A corpus names them many times, anywhere.
_artist_key, _song_key = functools.cache(normalised), functools.cache(caseless)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A kind of evidence that two files belong together.

    Attributes
    ----------
    name : str
        Its name in `folds.group_by`, in counts and in `audit.json`; of metadata, also the field of `File`.
    label : str
        What tables and sentences call it.
    source : 'audio', 'metadata' or 'groups'
        Where it comes from. Metadata is what the corpus says of a file: later builds may correct it, so that what an
        earlier build was told no longer counts for audio that is still there. Groups are what all other evidence adds
        up to.
    key : callable
        A file's key, empty where it has none. Files with equal keys share this evidence.
    sentence : callable
        What two files that share it have in common.
    tie : str
        What the names of groups call it, as in `artist:bjork`; empty where equal keys join no groups.
    is_optional : bool
        Whether it counts only where `folds.group_by` names it.
    """

    name: str
    label: str
    source: Literal["audio", "metadata", "groups"]
    key: Callable[[File], str]
    sentence: Callable[[File, File], str]
    tie: str
    is_optional: bool = False


FINGERPRINT = Evidence(
    name="fingerprint",
    label="fingerprint",
    source="audio",
    # Which fingerprints agree is found by `pipelines.copies`, pair by pair; pairs go by content hash.
    key=lambda file: file.content_hash if file.fingerprint else "",
    sentence=lambda first, second: "the same recording",
    tie="",
)
HASH = Evidence(
    name="hash",
    label="same samples",
    source="audio",
    key=lambda file: file.content_hash,
    sentence=lambda first, second: "the same samples",
    tie="content",
)
SONG = Evidence(
    name="song",
    label="song name",
    source="metadata",
    key=lambda file: _song_key(file.song),
    sentence=lambda first, second: f"both of song {first.song!r}",
    tie="song",
)
ARTIST = Evidence(
    name="artist",
    label="artist",
    source="metadata",
    key=lambda file: _artist_key(file.artist),
    sentence=lambda first, second: f"by {' and '.join(map(repr, dict.fromkeys((first.artist, second.artist))))}",
    tie="artist",
    is_optional=True,
)
GROUP = Evidence(
    name="group",
    label="group",
    source="groups",
    key=lambda file: file.group,
    sentence=lambda first, second: f"both in group {first.group!r}",
    tie="",
)

EVIDENCE = (FINGERPRINT, HASH, SONG, ARTIST, GROUP)
"""All kinds of evidence, the most telling first."""

BY_NAME = {evidence.name: evidence for evidence in EVIDENCE}
"""The kinds of evidence by name."""


def forbidden(group_by: str) -> tuple[str, ...]:
    """The kinds of evidence that files in different splits may not share.

    Parameters
    ----------
    group_by : str
        `folds.group_by`.

    Examples
    --------
    >>> forbidden("song")
    ('fingerprint', 'hash', 'song', 'group')
    >>> forbidden("artist")
    ('fingerprint', 'hash', 'song', 'artist', 'group')
    """
    chosen = BY_NAME[group_by]
    return tuple(kind.name for kind in EVIDENCE if not kind.is_optional or kind is chosen)


def tying(group_by: str) -> list[Evidence]:
    """The kinds of evidence by whose keys files join groups.

    Parameters
    ----------
    group_by : str
        `folds.group_by`.

    Examples
    --------
    >>> [kind.name for kind in tying("song")]
    ['hash', 'song']
    """
    return [kind for name in forbidden(group_by) if (kind := BY_NAME[name]).tie]


def ties(file: File, group_by: str) -> list[str]:
    """The keys by which a file joins groups.

    Parameters
    ----------
    file : File
    group_by : str
        `folds.group_by`.

    Examples
    --------
    >>> file = File("a.wav", "", song="One", artist="Björk feat. Thom Yorke", content_hash="5f0c")
    >>> ties(file, "song")
    ['content:5f0c', 'song:one']
    >>> ties(file, "artist")
    ['content:5f0c', 'song:one', 'artist:bjork']
    """
    return [f"{kind.tie}:{key}" for kind in tying(group_by) if (key := kind.key(file))]
