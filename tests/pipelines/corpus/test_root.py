"""The corpus's root: a moved corpus has the same URIs."""

import shutil
from pathlib import Path

import pytest

from pipelines.common import storage
from pipelines.config import CorpusConfig
from pipelines.corpus import listing, root

SONGS = ("blues/a.wav", "jazz/b.wav")


def write_corpus(folder, form):
    """A corpus in a folder, and what a user names to build it."""
    for name in SONGS:
        storage.write_bytes(str(folder / "music" / name), name.encode())
    if form == "glob":
        return str(folder / "music/*/*.wav")
    if form == "manifest":
        (folder / "music/m.csv").write_text("path,genre\n" + "".join(f"{name},{name[:4]}\n" for name in SONGS))
        return str(folder / "music/m.csv")
    if form in ("zip", "tar"):
        return shutil.make_archive(str(folder / "packed"), form, folder / "music")
    return str(folder / "music")


def relative_uris(config):
    return [root.relative(entry.file.uri, root.root_of(config)) for entry in listing.list_files(config)]


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("folder", list(SONGS)),
        ("glob", list(SONGS)),
        ("manifest", list(SONGS)),
        ("zip", [f"zip://{name}::" for name in SONGS]),
        ("tar", [f"tar://{name}::" for name in SONGS]),
    ],
)
def test_a_corpus_has_the_same_uris_wherever_it_lies(form, expected, tmp_path):
    for place in ("here", "there"):
        config = CorpusConfig(input=write_corpus(tmp_path / place, form))
        assert relative_uris(config) == expected
        uris = [entry.file.uri for entry in listing.list_files(config)]
        assert [root.absolute(uri, root.root_of(config)) for uri in expected] == uris


def test_a_folder_is_named_in_any_way(tmp_path, monkeypatch):
    write_corpus(tmp_path, "folder")
    monkeypatch.chdir(tmp_path)
    for named in ("music", "./music/", str(tmp_path / "music"), f"{tmp_path}/x/../music"):
        assert root.root_of(CorpusConfig(input=named)) == str(tmp_path / "music")


def test_a_manifest_s_files_may_lie_elsewhere(tmp_path):
    write_corpus(tmp_path, "manifest")
    (tmp_path / "lists").mkdir()
    manifest = Path(shutil.move(tmp_path / "music/m.csv", tmp_path / "lists"))
    config = CorpusConfig(input=str(manifest), root=str(tmp_path / "music"))
    assert root.root_of(config) == str(tmp_path / "music") and relative_uris(config) == list(SONGS)


@pytest.mark.parametrize(
    ("uri", "at"),
    [
        ("/music2/a.wav", "/music"),  # a folder whose name begins with the root's
        ("s3://other/a.wav", "s3://music"),
        ("zip://a.wav::/other.zip", "/music.zip"),
    ],
)
def test_what_lies_outside_the_root_keeps_its_whole_uri(uri, at):
    assert root.relative(uri, at) == uri == root.absolute(uri, at)


def test_a_member_may_be_called_like_a_url():
    uri = "zip://g/a::b.wav::/music.zip"
    assert root.absolute(root.relative(uri, "/music.zip"), "/music.zip") == uri
