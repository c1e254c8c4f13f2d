"""Patterns of paths: what the folders and the name of a file say of it, as in `{artist}/{album}/{title}`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.common.errors import UsageError
from pipelines.common.suggestion import suggestion
from pipelines.corpus.names.spellings import unicode_form
from pipelines.corpus.paths import without_suffix
from pipelines.dataset.ledger import File

_TEXT, _TIME = r"[^/]+", r"\d+(?:\.\d+)?s?"
_FIELDS = {
    "artist": _TEXT, "album": _TEXT, "title": _TEXT, "song": _TEXT, "genre": _TEXT,
    "track": r"[A-Za-z]?\d+", "start": _TIME, "end": _TIME,
}  # fmt: skip
_EXAMPLES = {"track": "01", "start": "0", "end": "30"}
_TELLING = {"artist", "song", "title", "genre"}
_FIELD = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class PathPattern:
    """What paths of one form say of their files.

    A pattern has as many folders as it names; what lies above them is not looked at, and neither is a suffix of audio.
    A field never holds a `/`. Of several ways to read a path, the first fields are as short as can be.

    Attributes
    ----------
    text : str
        As it was given.
    fields : tuple of str
        Their names, in order.
    """

    text: str
    fields: tuple[str, ...]
    _shortest: re.Pattern[str]
    _longest: re.Pattern[str]

    @classmethod
    def of(cls, text: str) -> "PathPattern":
        """A pattern by its text.

        Raises
        ------
        UsageError
            It names a field that there is not, or one twice; it has none, or none that says whose or which song it is;
            or two fields have nothing between them.
        """
        body = without_suffix(unicode_form(text))
        literals, fields = _FIELD.split(body)[::2], tuple(_FIELD.findall(body))
        if fault := _fault(literals, fields):
            raise UsageError(f"pattern {text!r}: {fault}")
        shortest, longest = (_regex(literals, fields, lazy) for lazy in ("?", ""))
        return cls(text, fields, shortest, longest)

    def read(self, path: str) -> dict[str, str] | None:
        """What a path says, by field; None where it does not match.

        >>> PathPattern.of("{artist}/{album}/{track} - {title}").read("rock/Ann/Live/01 - One.mp3")
        {'artist': 'Ann', 'album': 'Live', 'track': '01', 'title': 'One'}
        """
        match = self._shortest.fullmatch(without_suffix(unicode_form(path)))
        return {name: value.strip() for name, value in match.groupdict().items()} if match else None

    def is_ambiguous(self, path: str) -> bool:
        """Whether a path that matches can be read in several ways.

        >>> pattern = PathPattern.of("{artist}-{title}")
        >>> pattern.is_ambiguous("ann-one"), pattern.is_ambiguous("a-ha-one")
        (False, True)
        """
        stem = without_suffix(unicode_form(path))
        first, last = self._shortest.fullmatch(stem), self._longest.fullmatch(stem)
        return bool(first and last and first.groupdict() != last.groupdict())


def with_pattern(
    files: Sequence[File], pattern: PathPattern, *, keeps_genres: bool = False
) -> tuple[list[File], list[str]]:
    """Files with what their paths say, where nothing else says it, and what there is to tell of that.

    Parameters
    ----------
    files : sequence of File
    pattern : PathPattern
    keeps_genres : bool
        Whether files keep the genres that they have; else a `{genre}` takes their place, and a file that does not match
        has none.

    Returns
    -------
    files : list of File
    notes : list of str
        How many paths do not match, and how many can be read in several ways.

    Raises
    ------
    UsageError
        No path matches.

    Examples
    --------
    >>> files, notes = with_pattern([File("Ann/One.mp3", ""), File("x.mp3", "")], PathPattern.of("{artist}/{title}"))
    >>> [file.artist for file in files], notes
    (['Ann', ''], ["pattern '{artist}/{title}': 1 of 2 paths do not match, as x.mp3"])
    """
    read = [pattern.read(file.path) for file in files]
    unmatched = [file.path for file, told in zip(files, read, strict=True) if told is None]
    if files and len(unmatched) == len(files):
        like = _FIELD.sub(lambda field: _EXAMPLES.get(field[1], field[1]), pattern.text)
        raise UsageError(
            f"pattern {pattern.text!r}: matches none of {len(files):,} paths, such as {unmatched[0]};"
            f" expected paths that end like {like}"
        )
    notes = []
    if unmatched:
        notes.append(f"{len(unmatched):,} of {len(files):,} paths do not match, as {unmatched[0]}")
    if ambiguous := [file.path for file in files if pattern.is_ambiguous(file.path)]:
        told = ", ".join(f"{name} {value!r}" for name, value in (pattern.read(ambiguous[0]) or {}).items())
        count = f"{len(ambiguous):,} of {len(files):,}"
        notes.append(f"{count} paths can be read in several ways, as {ambiguous[0]}, taken for {told}")
    takes_genres = "genre" in pattern.fields and not keeps_genres
    with_told = [_with_fields(file, told or {}, takes_genres) for file, told in zip(files, read, strict=True)]
    return with_told, [f"pattern {pattern.text!r}: {note}" for note in notes]


def _with_fields(file: File, told: Mapping[str, str], takes_genre: bool) -> File:
    return replace(
        file,
        artist=file.artist or told.get("artist", ""),
        song=file.song or _song(told),
        genre=told.get("genre", "") if takes_genre else file.genre,
    )


def _song(told: Mapping[str, str]) -> str:
    """The song that fields name: an artist's `{song}`, or, of a piece with its `{start}`, what else they tell of it.

    Where no piece is named, a file's own name tells its song better (see `pipelines.corpus.names.song_names`).

    >>> told = {"artist": "Ann", "title": "One"}
    >>> _song({"artist": "Ann", "song": "One"}), _song(told | {"start": "0"}), _song(told)
    ('Ann - One', 'Ann - One', '')
    """
    if "song" not in told and "start" not in told:
        return ""
    naming = {"artist", "song"} if "song" in told else {"artist", "album", "track", "title"}
    return " - ".join(value for name, value in told.items() if name in naming)


def _fault(literals: Sequence[str], fields: Sequence[str]) -> str:
    """What is wrong with a pattern; empty where nothing is."""
    if odd := [name for name in fields if name not in _FIELDS]:
        return f"there is no field {{{odd[0]}}}; {suggestion(odd[0], _FIELDS)}"
    if any("{" in literal or "}" in literal for literal in literals):
        return "a brace is open or closed alone; expected fields such as {artist}"
    if twice := next((name for name in fields if fields.count(name) > 1), None):
        return f"has {{{twice}}} twice"
    if not _TELLING & set(fields):
        return (
            f"has no field that says whose or which song it is, as {{artist}}/{{title}}; fields: {', '.join(_FIELDS)}"
        )
    if "" in literals[1:-1]:
        at = literals.index("", 1)
        return f"has nothing between {{{fields[at - 1]}}} and {{{fields[at]}}}, so that nothing says where one ends"
    if "start" in fields and not {"song", "title", "track"} & set(fields):
        return "has {start} and nothing that names the song, as {title}"
    if "end" in fields and "start" not in fields:
        return "has {end} without {start}"
    return ""


def _regex(literals: Sequence[str], fields: Sequence[str], lazy: str) -> re.Pattern[str]:
    parts = [re.escape(literals[0].lstrip("/"))]
    for name, literal in zip(fields, literals[1:], strict=True):
        parts.append(f"(?P<{name}>{_FIELDS[name]}{lazy if _FIELDS[name] == _TEXT else ''}){re.escape(literal)}")
    return re.compile(f"(?:.*/)?{''.join(parts)}", re.IGNORECASE | re.DOTALL)
