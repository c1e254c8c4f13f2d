"""SHA-256 of files."""

import hashlib
import io
from pathlib import Path
from typing import Any

from pipelines.common import storage

_BUFFER_BYTES = 1 << 20


def sha256(url: str) -> str:
    """The SHA-256 of a file, in hexadecimal; it is read in pieces."""
    with storage.local_copy(url) as path, path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class HashedFile(io.BufferedWriter):
    """A local file that is written anew, and whose SHA-256 is known without reading it."""

    def __init__(self, path: Path):
        self._file = _Hashed(path)
        # Workers that are threads wait for each other at every piece that is hashed or written: few are best.
        super().__init__(self._file, _BUFFER_BYTES)

    @property
    def sha256(self) -> str:
        """That of what was written so far, in hexadecimal."""
        if not self.closed:
            self.flush()
        return self._file.sha256.hexdigest()


class _Hashed(io.FileIO):
    def __init__(self, path: Path):
        super().__init__(path, "wb")
        self.sha256 = hashlib.sha256()

    def write(self, content: Any, /) -> int:
        count = super().write(content)
        self.sha256.update(memoryview(content)[:count])
        return count
