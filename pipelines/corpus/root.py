"""The corpus's root: where it lies, which is told once; everything else is relative to it."""

from pipelines.common import storage
from pipelines.config import CorpusConfig
from pipelines.corpus.forms import manifest
from pipelines.corpus.listing import glob_root


def root_of(config: CorpusConfig) -> str:
    """The URL that the files' URIs are relative to: a folder, or an archive."""
    url = config.input.rstrip("/")
    if manifest.is_manifest(url):
        return manifest.root_url(url, config.root)
    return storage.absolute(url if storage.is_folder(url) else glob_root(url))


def relative(uri: str, root: str) -> str:
    """A file's URI from the root on; of a file elsewhere, as it is.

    >>> relative("/music/blues/a.wav", "/music"), relative("zip://blues/a.wav::/music.zip", "/music.zip")
    ('blues/a.wav', 'zip://blues/a.wav::')
    """
    if uri.endswith(f"::{root}"):
        return uri.removesuffix(root)
    return uri.removeprefix(storage.join(root, ""))


def absolute(uri: str, root: str) -> str:
    """Where a file lies whose URI is relative to the root.

    >>> absolute("blues/a.wav", "/music"), absolute("zip://blues/a.wav::", "/music.zip")
    ('/music/blues/a.wav', 'zip://blues/a.wav::/music.zip')
    """
    if uri.endswith("::"):
        return uri + root
    return uri if "://" in uri or uri.startswith("/") else storage.join(root, uri)
