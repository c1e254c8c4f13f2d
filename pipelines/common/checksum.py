"""SHA-256 of files."""

import hashlib
import io
from pathlib import Path
from typing import Any

from pipelines.common import storage


def sha256(url: str) -> str:
    """The SHA-256 of a file, in hexadecimal; it is read in pieces."""
    with storage.local_copy(url) as path, path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class HashedFile(io.BufferedWriter):
    """A local file that is written anew, and whose SHA-256 is known without reading it."""

    def __init__(self, path: Path):
        super().__init__(path.open("wb", buffering=0))
        self._sha256 = hashlib.sha256()

    def write(self, content: Any, /) -> int:
        self._sha256.update(content)
        return super().write(content)

    @property
    def sha256(self) -> str:
        """That of what was written so far, in hexadecimal."""
        return self._sha256.hexdigest()
