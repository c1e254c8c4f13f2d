"""SHA-256 of files."""

import hashlib

from pipelines.common import storage


def sha256(url: str) -> str:
    """The SHA-256 of a file, in hexadecimal; it is read in pieces."""
    with storage.local_copy(url) as path, path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
