"""The class list: whether a corpus's genres look like genres, before work is spent on them."""

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipelines.common.errors import UsageError
from pipelines.common.output.words import counted, some_of
from pipelines.corpus.names.folding import bare
from pipelines.corpus.names.splits import SPLIT_ALIASES
from pipelines.dataset.ledger import REJECTED, File

_LIST = re.compile(r"""\[[\d\s,]*\]|[\[({][\s\[({]*['"].*[\])}]""", re.DOTALL)
_FLOAT = re.compile(r"[-+]?\d+\.0*")
_ABOVE_GENRES = re.compile(r"genres(?:[\W_].*)?|audio|data(?:set)?|music|songs|wavs?|mp3s?", re.IGNORECASE)
_LEAST_LETTERS = 5  # shorter words are too much alike
_MOST_SHOWN = 3
_NO_SONGS = frozenset({
    "", ".asd", ".bmp", ".cfg", ".csv", ".cue", ".db", ".doc", ".docx", ".gif", ".h5", ".htm", ".html", ".ini", ".jams",
    ".jpeg", ".jpg", ".json", ".lab", ".log", ".lrc", ".m3u", ".m3u8", ".md", ".md5", ".mid", ".midi", ".nfo", ".npy",
    ".npz", ".parquet", ".pdf", ".pickle", ".pkl", ".pls", ".png", ".py", ".rtf", ".sfv", ".svg", ".tfrecord", ".tif",
    ".tiff", ".tsv", ".txt", ".url", ".webp", ".xls", ".xlsx", ".xml", ".yaml", ".yml",
})  # fmt: skip
"""The suffixes of what lies beside songs, in lower case."""


def look_at(files: Sequence[File], others: Iterable[str] = ()) -> list[str]:
    """What is odd about the genres of a corpus, a line each.

    Parameters
    ----------
    files : sequence of File
        What was listed.
    others : iterable of str
        The paths of what else lies in the corpus; an empty folder's ends with `/`.

    Raises
    ------
    UsageError
        No model can be trained on such genres: there is a single one, they are splits, or they are lists.

    Examples
    --------
    >>> look_at([File("a/1.wav", "", "Ballad"), File("b/2.wav", "", "Ballads")])
    ["genres 'Ballad' (1 file) and 'Ballads' (1 file) are nearly alike; if they are one, spell them alike"]
    >>> look_at([File("a/1.wav", "", "blues"), File("b/2.wav", "", "jazz")], ["techno/3.mpga", "rock/"])
    ['folder rock: is empty, and so no genre', 'folder techno: holds no song, but 1 file that is not known as audio by \
its suffix, as techno/3.mpga; convert or rename what is music']
    """
    genres = Counter(file.genre for file in files if file.status != REJECTED)
    beside = list(_other_files(others, files))
    _refuse(genres, beside)
    alike = list(_alike(genres))
    more = [f"... and {counted(len(alike) - _MOST_SHOWN, 'more pair')} alike"] if len(alike) > _MOST_SHOWN else []
    return [*_odd_names(genres), *alike[:_MOST_SHOWN], *more, *beside]


def _refuse(genres: Mapping[str, int], beside: Sequence[str]) -> None:
    if lists := [genre for genre in genres if _LIST.fullmatch(genre)]:
        raise UsageError(
            f"genre {_few(lists)}: is a list as a program prints it, and each song has one genre here; write that alone"
        )
    if genres and all(map(_is_split, genres)):
        raise UsageError(
            f"the genres {_few(genres)} are splits; expected genres: of folders, those of the genres in those of the"
            " splits, as in train/blues; of a manifest, a column genre beside the column split"
        )
    if len(genres) == 1:
        ((genre, count),) = genres.items()
        fault = (
            f"{counted(count, 'file')} of one genre, {genre!r}, and a model needs two or more to tell apart; give the"
            " folder above the genres' folders, or a manifest or corpus.pattern that tells genres"
        )
        raise UsageError("; ".join([fault, *beside]))


def _is_split(genre: str) -> bool:
    return genre.lower() in SPLIT_ALIASES


def _odd_names(genres: Iterable[str]) -> Iterator[str]:
    if splits := list(filter(_is_split, genres)):
        yield f"genre {_few(splits)}: is named as a split; if it is one, a manifest's column split says so"
    if folders := list(filter(_ABOVE_GENRES.fullmatch, genres)):
        yield f"genre {_few(folders)}: is named as a folder above genres; if it is one, give that folder alone"
    if floats := list(filter(_FLOAT.fullmatch, genres)):
        yield f"genre {_few(floats)}: is a number with a point, as tables with gaps write it; a name is better"


def _alike(genres: Mapping[str, int]) -> Iterator[str]:
    """Pairs of genres that differ in accents, signs, `and`, or one letter."""
    seen: dict[str, str] = {}
    pairs: dict[tuple[str, str], None] = {}
    for genre in sorted(genres):
        for form in _with_a_letter_less(_letters(genre)):
            if (other := seen.setdefault(form, genre)) != genre:
                pairs[other, genre] = None
    for pair in pairs:
        first, second = (f"{genre!r} ({counted(genres[genre], 'file')})" for genre in pair)
        yield f"genres {first} and {second} are nearly alike; if they are one, spell them alike"


def _letters(genre: str) -> str:
    words = re.split(r"[\W_]+", bare(genre.replace("&", " and ")))
    return "".join(word for word in words if word not in ("and", "n"))


def _with_a_letter_less(letters: str) -> set[str]:
    """Forms of which two names that differ in one letter have one in common; of numbers and of short names, itself.

    >>> sorted(_with_a_letter_less("rocks"))
    ['ocks', 'rcks', 'rock', 'rocks', 'rocs', 'roks']
    """
    if len(letters) < _LEAST_LETTERS or any(map(str.isdigit, letters)):
        return {letters} - {""}
    return {letters, *(letters[:at] + letters[at + 1 :] for at in range(len(letters)))}


def _other_files(others: Iterable[str], files: Iterable[File]) -> Iterator[str]:
    """Folders beside the genres' that are empty, and those with files whose suffix is not known, a line each."""
    with_songs = {_first_folder(file.path) for file in files}
    of_folder: dict[str, list[str]] = defaultdict(list)
    for path in sorted(others):
        of_folder[_first_folder(path)].append(path)
    for folder, paths in of_folder.items():
        unknown = [path for path in paths if not path.endswith("/") and _suffix(path) not in _NO_SONGS]
        if unknown:
            holds = "holds" if folder in with_songs else "holds no song, but"
            are = "that are" if len(unknown) > 1 else "that is"
            yield (
                f"folder {folder or '.'}: {holds} {counted(len(unknown), 'file')} {are} not known as audio by"
                f" {'their' if len(unknown) > 1 else 'its'} suffix, as {unknown[0]}; convert or rename what is music"
            )
        elif paths == [f"{folder}/"]:
            yield f"folder {folder}: is empty, and so no genre"


def _first_folder(path: str) -> str:
    folder, slash, _ = path.partition("/")
    return folder if slash else ""


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()


def _few(names: Iterable[str]) -> str:
    return some_of([repr(name) for name in sorted(names)], _MOST_SHOWN)
