"""The manifest of a folder: a JSON file that is written last, so that a folder without it is not finished."""

from typing import ClassVar, Self

import pydantic

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.common.section import Section, digest


class FolderManifest(Section):
    """The manifest of a folder that a command makes: a dataset, or a bundle.

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
        try:
            manifest = cls.model_validate_json(content)
        except pydantic.ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"])) or "the file"
            raise UsageError(f"{url}: {name} is not what this version reads ({where}: {fault['msg']})") from error
        return manifest.model_copy(update={"url": url})

    def save(self) -> None:
        """Writes the file, in one step."""
        content = self.model_dump_json(indent=1).encode()
        storage.write_bytes(storage.join(self.url, self.json_name()), content)

    @property
    def digest(self) -> str:
        """A digest of all that the manifest says.

        Values that are defaults do not count, so that it stays the same in a later version, which has more settings.
        """
        return digest(self.model_dump(mode="json", exclude_defaults=True))
