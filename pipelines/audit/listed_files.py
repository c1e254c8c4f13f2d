"""Files that a split list names, as an audit takes them."""

from dataclasses import replace

from pipelines.audio.decode import UNREADABLE
from pipelines.corpus.forms.listed_files import ListedFiles
from pipelines.corpus.forms.manifest import NO_GENRE
from pipelines.dataset.ledger import WRITTEN, Entry, File


def accepted(file: File) -> File:
    """A file as an audit takes it: it needs no genre, as a build would, and no fold."""
    if file.reason == NO_GENRE.name:
        file = replace(file, status=WRITTEN, reason="", error="")
    return replace(file, fold="")


def find(files: ListedFiles, listed: str) -> Entry:
    """The file that a list names, by the list's name for it; rejected where it is not there, or may be several."""
    found = files.find(listed)
    if len(found) == 1:
        return replace(found[0], file=replace(accepted(found[0].file), path=listed))
    others = ", ".join(entry.file.path for entry in found[:2])
    fault = f"several files have its name: {others}" if found else "a split list names it; it is not there"
    return Entry(File(listed, listed).rejected(UNREADABLE, fault), "")
