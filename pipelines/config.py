"""The configuration of a build: what YAML and the command line may say, checked once, then frozen.

May use: common, audio, features.
"""

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self, TypeVar, get_args

import pydantic
import yaml
from pydantic import Field

from pipelines.audio.schema import AudioConfig
from pipelines.common import storage, strict_yaml
from pipelines.common.errors import UsageError
from pipelines.common.section import Section, section_of
from pipelines.features.schema import Features, LogMel

SplitName = Literal["train", "validation", "test"]

SPLITS: tuple[SplitName, ...] = get_args(SplitName)
"""The splits, the least protected first; they are also the folds of a corpus that has splits of its own."""

StorageType = Literal["float16", "uint8"]
"""How features are stored on disk; `pipelines.dataset.quantisation` says what each takes."""


class CorpusConfig(Section):
    """Where the audio files are, and what says their genre, song and artist.

    Attributes
    ----------
    input : str
        A folder of genre folders, a glob, a CSV, TSV or Parquet manifest, or a `.zip`, `.tar`, `.tar.gz`, `.tar.bz2`
        or `.tar.xz` archive of a folder; any fsspec URL.
    root : str
        What a manifest's paths are relative to and must lie in. Default: the manifest's own folder.
    splits : dict
        For `train`, `validation` and `test` a text file that lists the files of the split, one path per line. Only
        listed files belong to the corpus then.
    artists : str
        An index of artists: lines `file ::: artist ::: title`, as in B. L. Sturm's index of GTZAN.
    pattern : str
        What files' paths tell, as `{artist}/{album}/{title}` or `{artist}-{title}-{start}-{end}`. The fields are
        `artist`, `album`, `track`, `title`, `song`, `genre`, `start` and `end`.
    artist_tags : bool
        Whether the artist is taken from a file's tags where nothing else says it.
    allow_remote : tuple of str
        What a manifest may name beside the files below its root: protocols, as `s3`, or URLs that a path may begin
        with, as `https://host/songs`. Of a chained URL (`zip://a.wav::s3://...`), each part must be allowed.
    follow_links : bool
        Whether links that lead out of the corpus's folder are followed.
    """

    input: str = ""
    root: str = ""
    splits: dict[SplitName, str] = Field(default_factory=dict)
    artists: str = ""
    pattern: str = ""
    artist_tags: bool = True
    allow_remote: tuple[str, ...] = ()
    follow_links: bool = False


class FoldsConfig(Section):
    """How groups of files are assigned to folds, and which folds are test and validation; the others are train.

    Attributes
    ----------
    count : int
        The number of folds, where the corpus has no splits of its own. Another one moves groups of a dataset to other
        folds, each inside its own split.
    seed : int
        Another seed assigns the groups differently.
    group_by : 'song' or 'artist'
        What groups files besides their song and their recording, wherever it is known; `song` says that nothing does.
        A later version of a dataset may go from `song` to `artist`, not back.
    copies : 'keep' or 'drop'
        Whether all copies of a recording are kept, in one group, or only the best. Of files with the same samples and
        genre, one is kept anyway.
    lone_genres : 'fail' or 'drop'
        What becomes of a genre whose songs are all in one group, so that no two splits can have it: the build fails, or
        goes on without these songs.
    shared_stretch_s : float
        How long a stretch may be, in seconds, that many songs have at the same place, as a station's ident in front of
        every track, and that is no copy therefore; 0 says that each is. A later version of a dataset may lower it.
    unbalanced : 'warn' or 'fail'
        Whether a build goes on or fails when a group is so large that its genre cannot be divided equally among the
        folds.
    test : tuple of int
        The numbers of the folds that are test, where the corpus has no splits of its own.
    validation : tuple of int
        The numbers of the folds that are validation, where the corpus has no splits of its own.
    """

    count: int = Field(default=10, ge=2, le=100)
    seed: int = 0
    group_by: Literal["song", "artist"] = "artist"
    copies: Literal["keep", "drop"] = "keep"
    lone_genres: Literal["fail", "drop"] = "fail"
    shared_stretch_s: float = Field(default=0.0, ge=0)
    unbalanced: Literal["warn", "fail"] = "warn"
    test: tuple[int, ...] = (0,)
    validation: tuple[int, ...] = (1,)

    @pydantic.model_validator(mode="after")
    def _splits_are_disjoint(self) -> Self:
        if both := sorted(set(self.test) & set(self.validation)):
            raise ValueError(f"fold {both[0]} is in both test and validation; a fold belongs to one split")
        return self


class ShardsConfig(Section):
    """How records are stored.

    Attributes
    ----------
    dtype : 'float16' or 'uint8'
        The type of the features on disk; uint8 has a scale for each feature of each record.
    size_mb : float
        The approximate size of a shard, in MB.
    """

    dtype: StorageType = "float16"
    size_mb: float = Field(default=128.0, gt=0)


class BuildSection(Section):
    """When a build refuses to publish, and which earlier dataset it continues.

    Attributes
    ----------
    max_reject_share : float
        The largest share of the files that may be rejected.
    previous : str
        A dataset elsewhere that a new one goes on from, by path or fsspec URL, or `D@7` for its version 7: readings,
        folds, history and records are taken over. A dataset that is there goes on from its own newest version.
    """

    max_reject_share: float = Field(default=0.05, ge=0, le=1)
    previous: str = ""


class BuildConfig(Section):
    """All that a build reads."""

    corpus: CorpusConfig = CorpusConfig()
    audio: AudioConfig = AudioConfig()
    features: Features = Features(log_mel=LogMel())
    folds: FoldsConfig = FoldsConfig()
    shards: ShardsConfig = ShardsConfig()
    build: BuildSection = BuildSection()

    @pydantic.model_validator(mode="after")
    def _features_suit_the_sample_rate(self) -> Self:
        for name, feature in self.features.chosen.items():
            try:
                feature.check_sample_rate(self.audio.sample_rate_hz)
            except ValueError as error:
                raise ValueError(f"features.{name}: {error}") from error
        return self

    def record_values(self, *, exclude_defaults: bool = False) -> dict[str, Any]:
        """The values that decide a record's bytes, given its file: all versions of a dataset have them in common."""
        decisive: dict[str, Any] = {"audio": True, "features": True, "shards": {"dtype"}}
        return self.model_dump(mode="json", include=decisive, exclude_defaults=exclude_defaults)

    def makes_the_same_as(self, other: "BuildConfig") -> bool:
        """Whether both make the same version of the same listing, however they name the corpus.

        >>> BuildConfig().makes_the_same_as(BuildConfig(corpus=CorpusConfig(input="music")))
        True
        >>> BuildConfig().makes_the_same_as(BuildConfig(folds=FoldsConfig(count=5)))
        False
        """
        sections = set(BuildConfig.model_fields) - {"build"}
        # What these say of the files, the listing has.
        told = {"corpus": {"input", "root", "splits", "artists", "pattern", "allow_remote", "follow_links"}}
        return self.model_dump(include=sections, exclude=told) == other.model_dump(include=sections, exclude=told)


ConfigT = TypeVar("ConfigT", bound=BuildConfig)
SectionT = TypeVar("SectionT", bound=Section)


def load(source: str | Mapping[str, Any], overrides: Sequence[str], kind: type[ConfigT]) -> ConfigT:
    """Reads a configuration.

    Parameters
    ----------
    source : str or mapping
        A YAML file, by path or fsspec URL, or what one holds.
    overrides : sequence of str
        `key.path=value` each, the value in YAML, as the command line's `--set` gives them.
    kind : type
        The configuration to read: `BuildConfig`, or one that adds sections to it.

    Raises
    ------
    UsageError
        The file is missing or no YAML mapping, a key is unknown, or a value is not allowed.
    """
    values = read_yaml(source) if isinstance(source, str) else copy.deepcopy(dict(source))
    for override in overrides:
        _set(values, override)
    if isinstance(features := values.get("features"), dict):
        # In YAML a feature's name alone asks for it with its defaults.
        values["features"] = {name: {} if value is None else value for name, value in features.items()}
    return check(values, kind, source if isinstance(source, str) else "configuration")


def read_yaml(url: str) -> dict[str, Any]:
    """The mapping that a YAML file holds, by path or fsspec URL; raises `UsageError` where it holds none."""
    try:
        values = strict_yaml.load(storage.read_bytes(url))
    except FileNotFoundError as error:
        raise UsageError(f"{url}: no such file; give the path of a YAML configuration") from error
    except OSError as error:
        raise UsageError(f"{url}: cannot be read ({error}); give the path of a YAML configuration") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{url}: is not YAML ({' '.join(str(error).split())})") from error
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise UsageError(f"{url}: holds {type(values).__name__}, expected a mapping of sections")
    return values


def check(values: Mapping[str, Any], kind: type[SectionT], source: str) -> SectionT:
    """Turns a mapping into a configuration, or raises `UsageError` that names each wrong key and what is allowed."""
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        faults = "; ".join(_fault(kind, detail) for detail in error.errors())
        raise UsageError(f"{source}: {faults}") from error


def _set(values: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not all(path.split(".")):
        raise UsageError(f"--set {override}: expected KEY=VALUE, as in --set folds.count=5")
    *sections, key = path.split(".")
    for section in sections:
        if values.get(section) is None:
            values[section] = {}
        values = values[section]
        if not isinstance(values, dict):
            raise UsageError(f"--set {override}: {section} holds a value, not keys of its own")
    try:
        values[key] = strict_yaml.load(text)
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())
        raise UsageError(
            f"--set {override}: the value is not YAML ({why}); text needs quotes of its own, as in '{path}=\"{text}\"'"
        ) from error


def _fault(kind: type[pydantic.BaseModel], error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        return _unknown_key(kind, path, error["input"])
    message = error["msg"].removeprefix("Value error, ")
    found = "" if error["type"] == "value_error" else f", found {error['input']!r}"
    # What a whole configuration's validator finds has no path, and names its key itself.
    return ": ".join(filter(None, [".".join(path), f"{message[0].lower()}{message[1:]}{found}"]))


def _unknown_key(kind: type[pydantic.BaseModel], path: Sequence[str], value: object) -> str:
    beside: Any = kind
    allowed = "allowed" if len(path) > 1 else "sections"
    for part in path[:-1]:
        beside = section_of(beside.model_fields[part])
    while isinstance(value, dict) and len(value) == 1:  # as --set fold.count=5 makes it
        ((part, value),) = value.items()
        path = [*path, str(part)]
    key = ".".join(path)
    close = difflib.get_close_matches(key, _all_keys(kind), 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown key {key}; {allowed}: {', '.join(beside.model_fields)}{hint}"


def _all_keys(kind: type[pydantic.BaseModel]) -> Iterator[str]:
    """Every key of a configuration, in dotted form: sections and what they hold."""
    for name, field in kind.model_fields.items():
        yield name
        if section := section_of(field):
            yield from (f"{name}.{key}" for key in _all_keys(section))
