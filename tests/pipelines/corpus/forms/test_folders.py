import pytest

from pipelines.corpus.forms.folders import describe, levels


def tree(*folders):
    return [f"{folder}/{n}.wav" for folder in folders for n in range(2)]


def told(paths):
    found = levels(paths)
    return {path.rpartition("/")[0]: (found.genre_of(path), found.fold_of(path)) for path in paths}


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["blues", "jazz/album 1", "jazz/album 2"], [("blues", ""), ("jazz", ""), ("jazz", "")]),
        (["genres_original/blues", "genres_original/jazz"], [("blues", ""), ("jazz", "")]),
        (["Data/genres_original/blues", "Data/genres_original/jazz"], [("blues", ""), ("jazz", "")]),
        (["train/blues", "test/blues", "test/jazz/x"], [("blues", "train"), ("blues", "test"), ("jazz", "test")]),
        (
            ["Training/blues", "VALID/jazz", "dev/jazz"],
            [("blues", "train"), ("jazz", "validation"), ("jazz", "validation")],
        ),
        (["set/train/blues", "set/test/jazz"], [("blues", "train"), ("jazz", "test")]),
        (["train/audio/blues", "test/audio/jazz"], [("blues", "train"), ("jazz", "test")]),
        (["blues/train", "jazz/test"], [("blues", "train"), ("jazz", "test")]),
        (["train/blues", "train/jazz"], [("blues", ""), ("jazz", "")]),
        (["train/blues", "jazz"], [("train", ""), ("jazz", "")]),
        (["train", "test"], [("train", ""), ("test", "")]),
        (["blues"], [("blues", "")]),
    ],
)
def test_which_folder_says_what(folders, expected):
    assert list(told(tree(*folders)).values()) == expected


def test_a_file_above_the_genres_has_none():
    assert told(["train/blues/a.wav", "test/blues/b.wav", "test/c.wav"])["test"] == ("", "test")
    assert told(["blues/a.wav", "b.wav"])[""] == ("", "")


def test_what_was_understood_is_told():
    assert describe(levels([]), []) == ""
    assert describe(levels(tree("a", "b")), tree("a", "b")) == ""
    paths = tree("set/b", "set/a")
    assert describe(levels(paths), paths) == "the folders in set are taken for genres: a, b"
    paths = tree("a/train", "b/test")
    assert (
        describe(levels(paths), paths)
        == "the folders test, train are taken for splits, and the folders a, b above them for genres"
    )
