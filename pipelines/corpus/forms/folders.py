"""Folders: which of the folders above a file name its genre, and which its split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.common.output.words import some_of
from pipelines.corpus.names.splits import SPLIT_ALIASES
from pipelines.dataset.ledger import REJECTED, File

_MOST_SHOWN = 4


@dataclass(frozen=True)
class Levels:
    """Which folders of a tree say what.

    Attributes
    ----------
    wrapping : int
        How many folders hold the whole tree, and say nothing.
    genre : int
        The number of the folder that is the genre, from 0.
    split : int
        The number of the folder that is the split; -1 where none is.
    """

    wrapping: int = 0
    genre: int = 0
    split: int = -1

    def genre_of(self, path: str) -> str:
        """The genre of a file; empty where it lies above the genres' folders."""
        return _folder(path, self.genre)

    def fold_of(self, path: str) -> str:
        """The split of a file; empty where the folders name none."""
        return SPLIT_ALIASES.get(_folder(path, self.split).lower(), "") if self.split >= 0 else ""


def levels(paths: Sequence[str]) -> Levels:
    """Which folders of a tree say what.

    Folders that all files share say nothing, but for the last above a file. A folder is the split where all files'
    folders of its level are named as splits, of which there are several, and files lie in others too. The genre is the
    first of those.

    Examples
    --------
    >>> levels(["blues/x.wav", "jazz/y.wav"])
    Levels(wrapping=0, genre=0, split=-1)
    >>> levels(["Data/genres_original/blues/x.wav", "Data/genres_original/jazz/y.wav"])
    Levels(wrapping=2, genre=2, split=-1)
    >>> levels(["train/blues/x.wav", "test/blues/y.wav"])
    Levels(wrapping=0, genre=1, split=0)
    """
    folders = [path.split("/")[:-1] for path in paths]
    split = _split_level(folders) if max(map(len, folders), default=0) > 1 else -1
    others = [[*parts[:split], *parts[split + 1 :]] for parts in folders] if split >= 0 else folders
    genre = shared(others)
    return Levels(shared(folders), genre + (0 <= split <= genre), split)


def with_folders(files: Sequence[File], *, is_glob: bool = False) -> tuple[list[File], list[str]]:
    """Files with the genres and folds that their folders tell, and what there is to tell of that.

    Parameters
    ----------
    files : sequence of File
        Those that are rejected have no say.
    is_glob : bool
        Whether the genre is the last folder above a file, which may be above all of their paths.

    Examples
    --------
    >>> files, notes = with_folders([File("set/blues/x.wav", "", "set"), File("set/jazz/y.wav", "", "set")])
    >>> [file.genre for file in files], notes
    (['blues', 'jazz'], ['the folders in set are taken for genres: blues, jazz'])
    """
    paths = [file.path for file in files if file.status != REJECTED]
    found = levels(paths)
    if is_glob:
        return [_of_glob(file, found) for file in files], []
    told = [
        replace(file, genre=found.genre_of(file.path), fold=file.fold or found.fold_of(file.path)) for file in files
    ]
    return told, list(filter(None, [describe(found, paths)]))


def _of_glob(file: File, found: Levels) -> File:
    folders = file.path.split("/")[:-1]
    is_split = found.split == len(folders) - 1 > 0
    return replace(file, genre=folders[-2] if is_split else file.genre, fold=file.fold or found.fold_of(file.path))


def describe(found: Levels, paths: Sequence[str]) -> str:
    """What the folders were taken for, where that is not plain; otherwise empty.

    >>> paths = ["train/blues/x.wav", "test/jazz/y.wav"]
    >>> describe(levels(paths), paths)
    'the folders test, train are taken for splits, and the folders blues, jazz in them for genres'
    """
    genres = _few({found.genre_of(path) for path in paths})
    if found.split >= 0:
        splits = _few({_folder(path, found.split) for path in paths})
        where = "in" if found.split < found.genre else "above"
        return f"the folders {splits} are taken for splits, and the folders {genres} {where} them for genres"
    if found.wrapping:
        above = "/".join(paths[0].split("/")[: found.wrapping])
        return f"the folders in {above} are taken for genres: {genres}"
    return ""


def _folder(path: str, level: int) -> str:
    parts = path.split("/")[:-1]
    return parts[level] if level < len(parts) else ""


def shared(folders: Sequence[Sequence[str]]) -> int:
    """How many folders all files share; a file keeps at least its own folder."""
    count = 0
    while folders and all(len(parts) > count + 1 and parts[count] == folders[0][count] for parts in folders):
        count += 1
    return count


def _split_level(folders: Sequence[Sequence[str]]) -> int:
    for level in range(min(map(len, folders), default=0)):
        names = {parts[level].lower() for parts in folders}
        if names <= SPLIT_ALIASES.keys() and len({SPLIT_ALIASES[name] for name in names}) > 1:
            return level
    return -1


def _few(names: set[str]) -> str:
    return some_of(sorted(filter(None, names)), _MOST_SHOWN)
