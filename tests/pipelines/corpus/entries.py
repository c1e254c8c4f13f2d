"""The entries of a corpus, and what tests look at in them."""

from pipelines.common import storage
from pipelines.config import CorpusConfig
from pipelines.corpus import listing
from pipelines.corpus.forms import archives


def listed(source, **keys):
    return listing.list_files(CorpusConfig(input=str(source), **keys))


def contents(source, entries, folder):
    """What is in the files of entries; members of a tar archive are unpacked for that."""
    unpacked = {}
    if archives.is_tar(str(source)):
        unpacked = archives.unpack(str(source), {entry.location for entry in entries}, str(folder))
    return [storage.read_bytes(unpacked.get(entry.location, entry.location)) for entry in entries]
