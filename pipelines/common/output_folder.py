"""The folder that a command writes to: its own, and nobody else's."""

from collections.abc import Collection
from pathlib import Path

from pipelines.common import storage
from pipelines.common.errors import UsageError


def refuse_other_files(url: str, command: str, *, work: str = "", own: Collection[str] = ()) -> None:
    """Refuses an output folder that holds files of somebody else.

    Parameters
    ----------
    url : str
        The folder; it need not be there.
    command : str
        What writes to it, as in 'build'.
    work : str
        The folder in it of work that is not finished: where that is, all else is the command's too.
    own : collection of str
        Names that the command itself gives.

    Raises
    ------
    UsageError
        The folder holds another file, is one itself, or lies below one.
    """
    if in_the_way := _file_in_the_way(url):
        raise UsageError(f"{url}: not a directory ({in_the_way} is a file); give a folder of its own")
    names = storage.names(url)
    others = [name for name in names if name not in own and not storage.is_unfinished(name)]
    if others and work not in names:
        raise UsageError(f"{url}: holds files that no {command} wrote ({others[0]}, ...); give a folder of its own")


def _file_in_the_way(url: str) -> str:
    """The file that a local folder is, or lies below; empty where there is none."""
    if not storage.is_local(url):
        return ""
    path = Path(storage.filesystem(url)[1])
    nearest = next(each for each in (path, *path.parents) if each.exists())
    return "" if nearest.is_dir() else str(nearest)
