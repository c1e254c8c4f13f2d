"""What is told of a corpus's files, in whatever form it comes: by folders, by a pattern, and in one spelling."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from pipelines.config import CorpusConfig
from pipelines.corpus.forms import manifest
from pipelines.corpus.forms.folders import with_folders
from pipelines.corpus.forms.manifest import NO_GENRE, ODD_GENRE, genre_fault
from pipelines.corpus.names import genres
from pipelines.corpus.names.folding import composed
from pipelines.corpus.names.pattern import PathPattern, with_pattern
from pipelines.dataset.ledger import REJECTED, WRITTEN, File


def understood(
    files: Sequence[File], config: CorpusConfig, known_genres: Collection[str] = (), *, is_glob: bool = False
) -> tuple[list[File], list[str]]:
    """Files with what their folders and paths tell, and with one spelling of each genre.

    Parameters
    ----------
    files : sequence of File
        As they were listed.
    config : CorpusConfig
    known_genres : collection of str
        How an earlier version of the dataset spells its genres.
    is_glob : bool
        Whether a glob listed them.

    Returns
    -------
    files : list of File
        In the same order. One without a genre is rejected.
    notes : list of str
        How the files were understood where that is not plain, a line each.

    Raises
    ------
    UsageError
        The pattern is none, or matches nothing.
    """
    is_table = manifest.is_manifest(config.input)
    notes: list[str] = []
    told = list(files)
    if not is_table:
        told, notes = with_folders(told, is_glob=is_glob)
    if config.pattern:
        told, more = with_pattern(told, PathPattern.of(config.pattern), keeps_genres=is_table)
        notes += more
    told = list(map(_judged, told))
    used = [file.genre for file in told if file.status != REJECTED]
    shown = genres.spellings(used, known_genres)
    return [_spelled(file, shown.get(file.genre, file.genre)) for file in told], notes + genres.notes(used, shown)


def _judged(file: File) -> File:
    """A file, rejected for its genre or not, by what it is now."""
    fault = genre_fault(file.genre)
    if file.reason not in ("", NO_GENRE.name, ODD_GENRE.name) or file.reason == (fault[0].name if fault else ""):
        return file
    return file.rejected(*fault) if fault else replace(file, status=WRITTEN, reason="", error="")


def _spelled(file: File, genre: str) -> File:
    song, artist = composed(file.song), composed(file.artist)
    if (song, artist, genre) == (file.song, file.artist, file.genre):
        return file
    return replace(file, song=song, artist=artist, genre=genre)
