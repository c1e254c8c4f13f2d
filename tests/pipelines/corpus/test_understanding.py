import csv
import shutil

import pytest

from pipelines.common.errors import UsageError
from pipelines.config import CorpusConfig
from pipelines.corpus.listing import list_corpus

PATHS = [
    "Hip-Hop/Ann/1.wav", "Hip-Hop/Bob/2.wav", "hip hop/Ann/3.wav", "R&B/Ann/4.wav", "Forro\u0301/Bob/5.wav",
    "Forr\u00f3/Bob/6.wav",
]  # fmt: skip
GENRES = ["Hip-Hop", "Hip-Hop", "Hip-Hop", "R&B", "Forr\u00f3", "Forr\u00f3"]
ARTISTS = ["Ann", "Bob", "Ann", "Ann", "Bob", "Bob"]


def tree(folder, paths=PATHS):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    return folder


@pytest.fixture(params=["tree", "wrapped", "zip", "tar", "wrapped.zip", "glob", "manifest"])
def source(request, tmp_path):
    """The same songs in each form."""
    top = tmp_path / "songs"
    tree(top / "set" if "wrapped" in request.param else top)
    if request.param.endswith(("zip", "tar")):
        return shutil.make_archive(str(tmp_path / "a"), request.param.rpartition(".")[2], top)
    if request.param == "manifest":
        with (tmp_path / "m.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("path", "genre"), *((f"songs/{path}", path.split("/")[0]) for path in PATHS)])
        return str(tmp_path / "m.csv")
    return f"{top}/*/*/*.wav" if request.param == "glob" else str(top)


def test_every_form_tells_the_same_of_the_same_songs(source):
    pattern = "{genre}/{artist}/{title}"
    found = list_corpus(CorpusConfig(input=source, pattern=pattern))
    told = {e.file.path.rpartition("/")[2]: (e.file.genre, e.file.artist, e.file.reason) for e in found.entries}
    assert told == {
        f"{n}.wav": (genre, artist, "") for n, (genre, artist) in enumerate(zip(GENRES, ARTISTS, strict=True), 1)
    }
    assert "genre 'Hip-Hop': files spell it 'Hip-Hop' (2), 'hip hop' (1)" in found.notes


def test_a_later_version_stays_with_the_spelling_of_the_first(tmp_path):
    found = list_corpus(CorpusConfig(input=str(tree(tmp_path))), known_genres=("hip hop", "R&B"))
    assert {entry.file.genre for entry in found.entries} == {"hip hop", "R&B", "Forr\u00f3"}


def test_a_pattern_may_give_and_take_a_genre(tmp_path):
    tree(tmp_path, ["x/rock - 1.wav", "y/jazz - 2.wav", "pop - 3.wav", "z/4.wav"])
    config = CorpusConfig(input=str(tmp_path), pattern="{genre} - {title}")
    told = {entry.file.path: (entry.file.genre, entry.file.reason) for entry in list_corpus(config).entries}
    assert told == {
        "x/rock - 1.wav": ("rock", ""), "y/jazz - 2.wav": ("jazz", ""), "pop - 3.wav": ("pop", ""),
        "z/4.wav": ("", "no_genre"),
    }  # fmt: skip


def test_folders_of_splits_give_folds_unless_lists_do(tmp_path):
    tree(tmp_path, ["train/blues/a.wav", "test/blues/b.wav", "test/jazz/c.wav"])
    listed = list_corpus(CorpusConfig(input=str(tmp_path))).entries
    assert {entry.file.path: (entry.file.genre, entry.file.fold) for entry in listed} == {
        "train/blues/a.wav": ("blues", "train"), "test/blues/b.wav": ("blues", "test"),
        "test/jazz/c.wav": ("jazz", "test"),
    }  # fmt: skip
    (tmp_path / "dev.txt").write_text("a\nb\nc\n")
    listed = list_corpus(CorpusConfig(input=str(tmp_path), splits={"validation": str(tmp_path / "dev.txt")})).entries
    assert {entry.file.fold for entry in listed} == {"validation"}


def test_what_else_lies_in_a_folder_is_listed(tmp_path):
    tree(tmp_path, ["blues/a.wav", "blues/b.mpga", "blues/._b.mpga", ".git/x", "README"])
    (tmp_path / "techno").mkdir()
    assert sorted(list_corpus(CorpusConfig(input=str(tmp_path))).others) == ["README", "blues/b.mpga", "techno/"]


def test_a_pattern_that_matches_nothing_ends_the_listing(tmp_path):
    with pytest.raises(
        UsageError, match=r"matches none of 6 paths, such as .*; expected paths that end like artist-title"
    ):
        list_corpus(CorpusConfig(input=str(tree(tmp_path)), pattern="{artist}-{title}"))
