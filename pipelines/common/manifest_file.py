"""What a folder says of itself: a JSON file that is written last, so that without it the folder is not finished."""

from typing import ClassVar, Self

import pydantic

from pipelines.common import storage
from pipelines.common.errors import UsageError
from pipelines.common.section import Section, digest


class FolderManifest(Section):
    """A folder's description.

    Attributes
    ----------
    url : str
        The folder; not part of its description.
    """

    KIND: ClassVar[str]
    """What the folder is, and so its file's name."""
    MADE_BY: ClassVar[str]
    """The command that makes one."""

    url: str = pydantic.Field(default="", exclude=True)

    @classmethod
    def json_name(cls) -> str:
        """The description's file name."""
        return f"{cls.KIND}.json"

    @classmethod
    def load(cls, url: str) -> Self:
        """Reads a folder's description.

        Raises
        ------
        UsageError
            There is none, or it is of another format.
        """
        name = cls.json_name()
        try:
            content = storage.read_bytes(storage.join(url, name))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(f"{url}: no {cls.KIND} there (no {name}); spectroshard {cls.MADE_BY} makes one") from error
        try:
            described = cls.model_validate_json(content)
        except pydantic.ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(map(str, fault["loc"])) or "the file"
            raise UsageError(f"{url}: {name} is not what this version reads ({where}: {fault['msg']})") from error
        return described.model_copy(update={"url": url})

    def save(self) -> None:
        """Writes the description, at once."""
        content = self.model_dump_json(indent=1).encode()
        storage.write_bytes(storage.join(self.url, self.json_name()), content)

    @property
    def digest(self) -> str:
        """A digest of all that the description says.

        A setting that has its default does not count: so it is the same in a later version, which has more settings.
        """
        return digest(self.model_dump(mode="json", exclude_defaults=True))
