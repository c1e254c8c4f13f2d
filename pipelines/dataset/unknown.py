"""What is not known of a dataset's songs, and so was not compared: counted, and told in the same words everywhere."""

from collections.abc import Iterable
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
        Of how many the artist is not known.
    tags_unread : int
        Of how many of these the tags, which may name the artist, cannot be read.
    unread_files : int
        How many were not read to their end.
    unread_s : float
        How many seconds of these were not read, as far as the files tell.

    Examples
    --------
    >>> files = [File("a.mp3", "", artist="Ann", unread_s=90.0), File("b.wv", "", tags_unread=True)]
    >>> Unknown.of(files).sentences()
    ['artists of 1 of 2 files are not known, and were not compared (the tags of 1 cannot be read)', \
'90 s of 1 file were not read, and not compared']
    """

    files: int
    artists: int
    tags_unread: int
    unread_files: int
    unread_s: float

    @classmethod
    def of(cls, files: Iterable[File]) -> Self:
        """Counts it."""
        used = [file for file in files if file.status != REJECTED]
        nameless = [file for file in used if not file.artist]
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
            of = counted(self.unread_files, "file")
            told.append(f"{self.unread_s:,.0f} s of {of} were not read, and not compared")
        return told
