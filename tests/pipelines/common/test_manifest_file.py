"""The seal of a manifest: whatever bit of it is another, it is noticed."""

import json

import pytest

from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.common.manifest_file import FolderManifest, sealed, unsealed


class Shelf(FolderManifest):
    KIND = "shelf"
    MADE_BY = "carpenter"

    boards: int
    wood: str = "oak"


@pytest.fixture
def shelf(tmp_path):
    made = Shelf(url=str(tmp_path), boards=3, wood="ash: é")
    made.save()
    return made


def test_what_is_saved_is_loaded_and_is_json(shelf, tmp_path):
    assert Shelf.load(shelf.url) == shelf
    told = json.loads((tmp_path / "shelf.json").read_bytes())
    assert list(told) == ["sha256", "boards", "wood"] and told["wood"] == "ash: é"


def test_every_flipped_bit_is_noticed(shelf):
    content = shelf.content()
    assert unsealed(content) is not None
    for position in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[position // 8] ^= 1 << position % 8
        assert unsealed(bytes(damaged)) is None, (position, bytes(damaged))


@pytest.mark.parametrize("cut", [0, 1, 80, -1])
def test_a_part_of_a_manifest_is_none(shelf, cut):
    assert unsealed(shelf.content()[:cut]) is None


def test_a_seal_is_of_its_own_content():
    seal = sealed(b'{\n "a": 1\n}')[: len(sealed(b"{\n}")) - 1]
    assert unsealed(seal + b' "a": 2\n}') is None


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"boards": 3', b'"boards": 4'), (b'"boards": 3', b'"boards": "three"'), (b'"wood"', b'"metal"'), (b"}", b"")],
)
def test_a_changed_manifest_is_named(shelf, tmp_path, old, new):
    path = tmp_path / "shelf.json"
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(
        SpectroshardError, match=rf"{path}: is damaged, or was edited: its SHA-256 does not fit"
    ) as refused:
        Shelf.load(shelf.url)
    assert type(refused.value) is SpectroshardError


@pytest.mark.parametrize("is_sealed", [True, False])
def test_a_manifest_of_another_version_is_named(shelf, tmp_path, is_sealed):
    content = unsealed(shelf.content()).replace(b'"wood"', b'"metal"')
    (tmp_path / "shelf.json").write_bytes(sealed(content) if is_sealed else content)
    with pytest.raises(UsageError, match=r"is not what this version reads \(metal: "):
        Shelf.load(shelf.url)


def test_a_manifest_without_a_seal_is_not_believed(shelf, tmp_path):
    (tmp_path / "shelf.json").write_bytes(unsealed(shelf.content()))
    with pytest.raises(SpectroshardError, match="is damaged, or was edited"):
        Shelf.load(shelf.url)


def test_a_folder_without_one_is_told_who_makes_it(shelf, tmp_path):
    with pytest.raises(UsageError, match=r"no shelf there \(no shelf\.json\); spectroshard carpenter makes one"):
        Shelf.load(str(tmp_path / "none"))
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf.json").rename(tmp_path / "shelf/shelf.json")
    with pytest.raises(UsageError, match=rf"did you mean {tmp_path}/shelf\?"):
        Shelf.load(shelf.url)
