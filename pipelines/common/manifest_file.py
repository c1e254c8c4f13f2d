"""The manifest of a folder: a JSON file that is written last, so that a folder without it is not finished."""

import hashlib
import json
import re
from typing import ClassVar, Self

import pydantic

from pipelines.common import storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.section import Section, digest

_SEAL = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def sealed(content: bytes) -> bytes:
    """A JSON object whose first key is the SHA-256 of all the rest.

    >>> text = sealed(b'{\\n "songs": 3\\n}')
    >>> unsealed(text)
    b'{\\n "songs": 3\\n}'
    >>> unsealed(text.replace(b"3", b"4")) is None
    True
    """
    return b'{\n "sha256": "' + hashlib.sha256(content).hexdigest().encode() + b'",\n' + content.removeprefix(b"{\n")


def unsealed(content: bytes) -> bytes | None:
    """What was sealed; None where it is not what it was, not even by a bit."""
    seal = _SEAL.match(content)
    body = b"{\n" + content[seal.end() :] if seal else b""
    return body if seal and hashlib.sha256(body).hexdigest().encode() == seal[1] else None


def foreign(error: pydantic.ValidationError) -> str:
    """What is said of a file that is whole and of another version: which of its keys is not as this one expects."""
    fault = error.errors()[0]
    where = ".".join(map(str, fault["loc"])) or "the file"
    return f"is not what this version reads ({where}: {fault['msg']})"


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


class FolderManifest(Section):
    """The manifest of a folder that a command makes: a dataset, or a bundle. It holds a checksum of itself.

    Attributes
    ----------
    url : str
        The folder; not part of the file.
    """

    KIND: ClassVar[str]
    """What the folder is, and so the name of the file."""
    MADE_BY: ClassVar[str]
    """The command that makes one."""

    url: str = pydantic.Field(default="", exclude=True)

    @classmethod
    def json_name(cls) -> str:
        """The name of the file."""
        return f"{cls.KIND}.json"

    @classmethod
    def load(cls, url: str) -> Self:
        """Reads a folder's manifest.

        Raises
        ------
        UsageError
            There is none, or it is of another format.
        """
        name = cls.json_name()
        try:
            content = storage.read_bytes(storage.join(url, name))
        except (FileNotFoundError, NotADirectoryError) as error:
            below = storage.join(url, cls.KIND)
            hint = (
                f"did you mean {below}?"
                if storage.version(storage.join(below, name))
                else f"spectroshard {cls.MADE_BY} makes one"
            )
            raise UsageError(f"{url}: no {cls.KIND} there (no {name}); {hint}") from error
        return cls.parsed(content, storage.join(url, name)).model_copy(update={"url": url})

    @classmethod
    def parsed(cls, content: bytes, source: str) -> Self:
        """The manifest that a file holds.

        Raises
        ------
        UsageError
            It is of another format.
        SpectroshardError
            It is damaged.
        """
        body = unsealed(content)
        if body is None and (_SEAL.match(content) or not _is_json(content)):
            raise SpectroshardError(f"{source}: is damaged, or was edited: its SHA-256 does not fit what it says")
        try:
            # One without a seal may be another version's, and is not damaged for that.
            manifest = cls.model_validate_json(content if body is None else body)
        except pydantic.ValidationError as error:
            raise UsageError(
                f"{source}: {foreign(error)}; spectroshard {cls.MADE_BY} makes one that it does"
            ) from error
        if body is None:
            raise SpectroshardError(f"{source}: is damaged, or was edited: it has no SHA-256 of what it says")
        return manifest

    def content(self) -> bytes:
        """What the file holds."""
        return sealed(self.model_dump_json(indent=1).encode())

    def save(self) -> None:
        """Writes the file, in one step."""
        storage.write_bytes(storage.join(self.url, self.json_name()), self.content())

    @property
    def digest(self) -> str:
        """A digest of all that the manifest says.

        Values that are defaults do not count, so that it stays the same in a later version, which has more settings.
        """
        return digest(self.model_dump(mode="json", exclude_defaults=True))
