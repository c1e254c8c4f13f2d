from hypothesis import given
from hypothesis import strategies as st

from pipelines.dataset.ledger import Copy, File
from pipelines.split.groups import with_groups

names = st.sampled_from(["", "one", "two", "three", "four"])
files = st.lists(st.builds(File, st.uuids().map(str), st.just(""), st.just("g"), names, names), max_size=20)


def groups_of(*rows, by="artist"):
    given = [File(path, "", "g", song, artist) for path, song, artist in rows]
    return [file.group for file in with_groups(given, by)]


def test_files_of_one_song_share_a_group():
    assert groups_of(("a", "s", ""), ("b", "s", ""), ("c", "t", "")) == ["song:s", "song:s", "song:t"]


def test_a_file_that_names_no_song_is_a_song_of_its_own():
    assert groups_of(("a", "", ""), ("b", "", "")) == ["file:a", "file:b"]


def test_artists_join_songs_only_when_asked_for():
    rows = [("a", "s", "Ann"), ("b", "t", "ann"), ("c", "u", "Bob")]
    assert groups_of(*rows, by="song") == ["song:s", "song:t", "song:u"]
    assert groups_of(*rows) == ["artist:ann", "artist:ann", "artist:bob"]


def test_ties_reach_through_others():
    rows = [("a", "s", "ann"), ("b", "s", "bob"), ("c", "", "bob"), ("d", "", "")]
    assert groups_of(*rows) == ["artist:ann"] * 3 + ["file:d"]


def test_a_song_and_an_artist_of_one_name_are_not_tied():
    assert groups_of(("a", "x", ""), ("b", "", "x")) == ["song:x", "artist:x"]


@given(files)
def test_order_does_not_matter(files):
    forwards = {file.path: file.group for file in with_groups(files, "artist")}
    assert forwards == {file.path: file.group for file in with_groups(files[::-1], "artist")}


@given(files)
def test_what_is_shared_is_never_parted(files):
    grouped = with_groups(files, "artist")
    for kind in ("song", "artist"):
        for name in {getattr(file, kind) for file in grouped} - {""}:
            assert len({file.group for file in grouped if getattr(file, kind) == name}) == 1


def test_copies_share_a_group_whatever_their_names_say():
    files = [
        File("a.wav", "", content_hash="1"),
        File("b.flac", "", song="other name", content_hash="1"),
        File("c.wav", "", content_hash="2"),
        File("d.wav", "", content_hash=""),
        File("e.wav", "", content_hash=""),
    ]
    groups = [file.group for file in with_groups(files, "song")]
    assert groups == ["file:a.wav", "file:a.wav", "file:c.wav", "file:d.wav", "file:e.wav"]


def test_near_copies_share_a_group_through_others_too():
    files = [File(name, "", content_hash=name) for name in "abcd"]
    copies = [Copy("a", "c", 0, 0, 10, 1, 0), Copy("c", "d", 0, 0, 10, 1, 0)]
    assert [file.group for file in with_groups(files, "song", copies)] == ["file:a", "file:b", "file:a", "file:a"]


def test_spellings_of_an_artist_are_one_artist():
    names = ["Björk feat. Thom Yorke", "bjork", "BJÖRK", "Various Artists", "various artists"]
    files = [File(str(number), "", artist=name) for number, name in enumerate(names)]
    assert [file.group for file in with_groups(files, "artist")] == ["artist:bjork"] * 3 + ["file:3", "file:4"]
