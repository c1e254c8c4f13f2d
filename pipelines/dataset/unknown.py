"""What is not known of a dataset's songs, and so was not compared: counted, and told in the same words everywhere."""

from collections.abc import Callable, Iterable
from typing import Self

from pipelines.common.output.words import counted
from pipelines.common.section import Section
from pipelines.dataset.ledger import REJECTED, File


class Unknown(Section):
    """What is not known of files that are used, duplicates among them.

    Attributes
    ----------
    files : int
        How many there are.
    artists : int
        Of how many the artist is not known, or is somebody like "Various Artists".
    tags_unread : int
        Of how many of these the tags, which may name the artist, cannot be read.
    unread_files : int
        How many were not read to their end.
    unread_s : float
        How many seconds of these were not read, as far as the files tell.

    Examples
    --------
    >>> files = [File("a.mp3", "", artist="Ann", unread_s=90.0), File("b.wv", "", tags_unread=True)]
    >>> Unknown.of(files, lambda file: file.artist).sentences()
    ['artists of 1 of 2 files are not known, and were not compared (the tags of 1 cannot be read)', \
'90 s of 1 file were not read, and not compared']
    """

    files: int
    artists: int
    tags_unread: int
    unread_files: int
    unread_s: float

    @classmethod
    def of(cls, files: Iterable[File], artist_of: Callable[[File], str]) -> Self:
        """Counts it; `artist_of` gives what artists are compared by, empty where nobody is named."""
        used = [file for file in files if file.status != REJECTED]
        nameless = [file for file in used if not artist_of(file)]
        unread = [file.unread_s for file in used if file.unread_s]
        return cls(
            files=len(used),
            artists=len(nameless),
            tags_unread=sum(file.tags_unread for file in nameless),
            unread_files=len(unread),
            unread_s=round(sum(unread), 2),
        )

    def sentences(self) -> list[str]:
        """What a user must be told, a line each; nothing where all is known."""
        told = []
        if self.artists:
            tags = f" (the tags of {self.tags_unread} cannot be read)" if self.tags_unread else ""
            of = f"{self.artists:,} of {counted(self.files, 'file')}"
            told.append(f"artists of {of} are not known, and were not compared{tags}")
        if self.unread_files:
            told.append(f"{unread_in_words(self.unread_files, self.unread_s)}, and not compared")
        return told


def unread_in_words(files: int, seconds: float) -> str:
    """How many seconds of some files were not read, in words.

    >>> unread_in_words(2, 1234.5), unread_in_words(1, 0.25)
    ('1,234 s of 2 files were not read', '0.2 s of 1 file were not read')
    """
    return f"{seconds:,.{0 if seconds >= 10 else 1}f} s of {counted(files, 'file')} were not read"
