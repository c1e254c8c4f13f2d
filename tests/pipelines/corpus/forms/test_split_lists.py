import pytest

from pipelines.common.errors import SpectroshardError
from pipelines.config import CorpusConfig
from pipelines.corpus import listing

INDEX = """## Bob L. Sturm, 2012
## ## ## ##
blues.00000.wav ::: John Lee Hooker ::: One Bourbon, One Scotch And One Beer
blues.00001.wav ::: John Lee Hooker :::
jazz.00000.au ::: Dewey Redman::: Imani ::: live
jazz.00001 ::: Ren\xe9 :::Tune
"""
NAMES = ["blues/blues.00000.au", "blues/blues.00001.au", "jazz/jazz.00000.au", "jazz/jazz.00001.au"]


@pytest.fixture
def listed(tmp_path):
    def list_songs(names=NAMES, artists="", **splits):
        for name in names:
            (tmp_path / "songs" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "songs" / name).touch()
        (tmp_path / "index.txt").write_bytes(artists.encode("latin-1"))
        for split, text in splits.items():
            (tmp_path / f"{split}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
        config = CorpusConfig(
            input=str(tmp_path / "songs"),
            splits={split: str(tmp_path / f"{split}.txt") for split in splits},
            artists=str(tmp_path / "index.txt") if artists else "",
        )
        return {entry.file.path: entry.file for entry in listing.list_files(config)}

    return list_songs


def test_split_lists_say_the_fold_and_what_belongs(listed):
    songs = listed(train="blues/blues.00000.wav\n\njazz/jazz.00000.wav\r\n", validation="jazz.00001\n")
    assert {song.path: song.fold for song in songs.values()} == {
        "blues/blues.00000.au": "train", "jazz/jazz.00000.au": "train", "jazz/jazz.00001.au": "validation",
    }  # fmt: skip


def test_listed_songs_that_are_not_there_are_shown_as_rejected(listed):
    song = listed(test="blues/blues.00000.wav\nrock/rock.00001.wav\n")["rock/rock.00001.wav"]
    assert (song.genre, song.status, song.reason, song.fold) == ("rock", "rejected", "unreadable", "")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_are_read_as_any_system_writes_them(listed, encoding):
    names = ["blues/Can\u00e7\u00e3o.wav", "jazz/Canc\u0327a\u0303o 2.wav", "jazz/b.wav"]
    lines = ["blues\\Canc\u0327a\u0303o.wav", "jazz\\Can\u00e7\u00e3o 2.wav", "b.wav"]
    songs = listed(names, train="\r\n".join([*lines, ""]).encode(encoding))
    assert {song.path: (song.fold, song.reason) for song in songs.values()} == dict.fromkeys(names, ("train", ""))


def test_songs_of_one_file_name_are_told_apart_by_their_paths(listed):
    songs = listed(["blues/a.wav", "jazz/a.wav", "jazz/b.wav"], train="blues\\a.wav\n", test="jazz/a.wav\n")
    assert {song.path: song.fold for song in songs.values()} == {"blues/a.wav": "train", "jazz/a.wav": "test"}


def test_lines_that_name_nothing_are_rejected_alone(listed):
    songs = listed(train="blues.00000\nfoo://x\nx\0y.wav\n")
    assert [(song.path, song.reason) for song in songs.values()] == [
        ("blues/blues.00000.au", ""), ("foo://x", "unreadable"), ("x\0y.wav", "unreadable"),
    ]  # fmt: skip


def test_a_song_in_two_splits_is_refused(listed):
    with pytest.raises(SpectroshardError, match=r"blues\.00000 is in both test and train"):
        listed(test="blues/blues.00000.wav\n", train="blues.00000.au\n")


def test_a_song_listed_twice_in_a_split_counts_once(listed):
    assert list(listed(test="blues.00000\nblues/blues.00000.wav\n")) == ["blues/blues.00000.au"]


@pytest.mark.parametrize("keys", [{"test": "a.wav\n"}, {"artists": "a.wav ::: b\n"}])
def test_two_songs_of_one_file_name_are_refused(listed, keys):
    with pytest.raises(SpectroshardError, match=r"two files are called a: blues/a\.wav and jazz/a\.wav"):
        listed(["blues/a.wav", "jazz/a.wav"], **keys)


def test_an_index_gives_artists_and_titles(listed):
    songs = listed(artists=INDEX)
    assert [(song.artist, song.song) for song in songs.values()] == [
        ("John Lee Hooker", "John Lee Hooker: One Bourbon, One Scotch And One Beer"),
        ("John Lee Hooker", ""),
        ("Dewey Redman", "Dewey Redman: Imani"),
        ("Ren\xe9", "Ren\xe9: Tune"),
    ]


def test_songs_that_an_index_does_not_name_stay(listed):
    songs = listed(artists="blues.00000.wav ::: Ann ::: One\n")
    assert [song.artist for song in songs.values()] == ["Ann", "", "", ""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_an_index_finds_names_with_accents(listed, encoding, tmp_path):
    listed(["g/Rene\u0301.wav"])
    (tmp_path / "i.txt").write_bytes("Ren\u00e9.wav ::: Ren\u00e9 ::: One\n".encode(encoding))
    config = CorpusConfig(input=str(tmp_path / "songs"), artists=str(tmp_path / "i.txt"))
    assert [entry.file.artist for entry in listing.list_files(config)] == ["Ren\u00e9"]


def test_what_is_no_index_is_told(listed):
    with pytest.raises(SpectroshardError, match=r"index\.txt: no line of the form 'file ::: artist ::: title'"):
        listed(artists="## nothing here\nblues.00000.wav, John Lee Hooker\n")


def test_a_list_that_is_missing_is_named(tmp_path, listed):
    (tmp_path / "songs/g").mkdir(parents=True)
    (tmp_path / "songs/g/a.wav").touch()
    config = CorpusConfig(input=str(tmp_path / "songs"), splits={"test": str(tmp_path / "none.txt")})
    with pytest.raises(SpectroshardError, match=r"none\.txt: no such file"):
        listing.list_files(config)
