import pytest

from pipelines.common.errors import UsageError
from pipelines.corpus.class_list import look_at
from pipelines.corpus.forms.manifest import NO_GENRE
from pipelines.dataset.ledger import File


def files(*genres):
    return [File(f"{genre}/{n}.wav", "", genre) for genre in genres for n in range(3)]


@pytest.mark.parametrize(
    ("genres", "fault"),
    [
        (
            ["blues"],
            "3 files of one genre, 'blues', and a model needs two or more to tell apart; give the folder above",
        ),
        (["train", "test"], "the genres 'test', 'train' are splits; expected genres"),
        (["train"], "the genres 'train' are splits"),
        (["['blues', 'Pop']", "jazz"], "is a list as a program prints it"),
        (['["blues"]', "jazz"], "is a list"),
        (["[{'genre_id': '21'}]", "jazz"], "is a list"),
        (["[21, 34]", "jazz"], "is a list"),
    ],
)
def test_genres_that_cannot_be_trained_are_refused(genres, fault):
    with pytest.raises(UsageError) as refused:
        look_at(files(*genres))
    assert fault in str(refused.value)


@pytest.mark.parametrize(
    ("genres", "note"),
    [
        (["test", "blues"], "genre 'test': is named as a split"),
        (["genres_original", "other"], "genre 'genres_original': is named as a folder above genres"),
        (["1.0", "2.0", "11.0", "12.0"], "genre '1.0', '11.0', '12.0' and 1 more: is a number with a point"),
        (["Forr\u00f3", "Forro"], "genres 'Forro' (3 files) and 'Forr\u00f3' (3 files) are nearly alike"),
        (["Drum & Bass", "Drum and Bass"], "nearly alike"),
        (["Electronic", "Eletronic"], "nearly alike"),
        (["ballad", "ballads"], "nearly alike"),
    ],
)
def test_odd_genres_are_told_in_a_line(genres, note):
    (line,) = look_at(files(*genres))
    assert note in line


@pytest.mark.parametrize(
    "genres",
    [
        ["blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock"],
        ["Hip-Hop", "Trip Hop", "R&B", "Old-Time / Historic", "Folk, World, & Country"],
        ["\u0440\u043e\u043a", "\u0440\u044d\u043f", "\u6f14\u6b4c", "\u30ed\u30c3\u30af"],
        ["0", "1", "10", "11"],
        ["game1", "game2", "1980s", "1990s"],
        ["(Other)", "[unknown]", "(1980)"],
    ],
)
def test_plain_genres_are_nothing_to_tell(genres):
    assert look_at(files(*genres)) == []


def test_many_pairs_are_told_in_few_lines():
    lines = look_at(files(*(f"genre{letter}" for letter in "abcdefgh")))
    assert len(lines) == 4
    assert lines[-1] == "... and 4 more pairs alike"


def test_rejected_files_have_no_say():
    with pytest.raises(UsageError, match="of one genre, 'blues'"):
        look_at([*files("blues"), File("a.wav", "", "jazz").rejected(NO_GENRE, "")])
    assert look_at([File("a.wav", "").rejected(NO_GENRE, "")]) == []


def test_folders_without_songs_and_suffixes_that_are_not_known_are_told():
    there = files("blues", "jazz")
    assert look_at(there, ["images/a.png", "features.csv", "jazz/cover.jpg", "jazz/README"]) == []
    assert look_at(there, ["techno/"]) == ["folder techno: is empty, and so no genre"]
    assert look_at(there, ["techno/1.mpga", "techno/2.mpga", "techno/cover.jpg"]) == [
        "folder techno: holds no song, but 2 files that are not known as audio by their suffix, as techno/1.mpga;"
        " convert or rename what is music"
    ]
    (line,) = look_at(there, ["jazz/1.mpga"])
    assert line.startswith("folder jazz: holds 1 file that is not known as audio by its suffix, as jazz/1.mpga")
    with pytest.raises(UsageError, match=r"of one genre, 'blues'.*; folder techno: holds no song"):
        look_at(files("blues"), ["techno/1.mpga"])
