import pytest

from pipelines.common.errors import UsageError
from pipelines.corpus.names.pattern import PathPattern, with_pattern
from pipelines.dataset.ledger import File

MAGNATUNE = "{artist}-{album}-{track}-{title}-{start}-{end}"


def read(text, *paths, **keys):
    return with_pattern([File(path, "", path.partition("/")[0]) for path in paths], PathPattern.of(text), **keys)


def test_pieces_of_songs_with_artists():
    paths = [f"4/ann-live_in_rome-{n:02d}-one__two-{s}-{s + 29}.mp3" for n in (1, 2) for s in (0, 30)]
    files, notes = read(MAGNATUNE, *paths)
    assert [(file.artist, file.song) for file in files] == [
        ("ann", "ann - live_in_rome - 01 - one__two"), ("ann", "ann - live_in_rome - 01 - one__two"),
        ("ann", "ann - live_in_rome - 02 - one__two"), ("ann", "ann - live_in_rome - 02 - one__two"),
    ]  # fmt: skip
    assert not notes


@pytest.mark.parametrize(
    ("text", "path", "told"),
    [
        ("{artist}/{album}/{title}", "Ann/Live/One.mp3", {"artist": "Ann", "album": "Live", "title": "One"}),
        ("{artist}/{album}/{title}", "rock/Ann/Live/One.mp3", {"artist": "Ann", "album": "Live", "title": "One"}),
        ("{artist}/{title}.mp3", "Ann/One.MP3", {"artist": "Ann", "title": "One"}),
        ("/{genre}/{artist} - {title}", "rock/Ann - One.flac", {"genre": "rock", "artist": "Ann", "title": "One"}),
        ("{track}. {title} [{artist}]", "x/01. One (live) [A.N.N.].wav",
         {"track": "01", "title": "One (live)", "artist": "A.N.N."}),
        ("{artist}-{title}", "a-ha-one", {"artist": "a", "title": "ha-one"}),
        ("Bj\u00f6rk {song}", "Bjo\u0308rk J\u00f3ga.ogg", {"song": "J\u00f3ga"}),
        ("{artist}/{album}/{title}", "Ann/One.mp3", None),
        ("{song}-{start}-{end}", "one-0-29.9.wav", {"song": "one", "start": "0", "end": "29.9"}),
        ("{song}-{start}-{end}", "one-two-three.wav", None),
    ],
)  # fmt: skip
def test_what_a_path_says(text, path, told):
    assert PathPattern.of(text).read(path) == told


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{artits}/{title}", "there is no field {artits}; did you mean artist?"),
        ("{artist}/{title", "brace"),
        ("{artist}/title}", "brace"),
        ("{{artist}}/{title}", "brace"),
        ("{artist}/{artist}", "has {artist} twice"),
        ("{artist}{title}", "has nothing between {artist} and {title}"),
        ("", "has no field"),
        ("{album}/{track}", "has no field"),
        ("{}", "there is no field {}"),
        ("{artist}-{start}-{end}", "nothing that names the song"),
        ("{title}-{end}", "has {end} without {start}"),
    ],
)
def test_a_bad_pattern_is_told(text, fault):
    with pytest.raises(UsageError) as refused:
        PathPattern.of(text)
    assert repr(text) in str(refused.value)
    assert fault in str(refused.value)


def test_what_does_not_match_is_counted_and_nothing_at_all_is_an_error():
    files, notes = read("{artist}/{title}", "Ann/One.mp3", "Bob/Two.mp3", "x.mp3")
    assert [file.artist for file in files] == ["Ann", "Bob", ""]
    assert notes == ["pattern '{artist}/{title}': 1 of 3 paths do not match, as x.mp3"]
    with pytest.raises(
        UsageError, match=r"matches none of 1 paths, such as x\.mp3; .* like artist-album-01-title-0-30"
    ):
        read(MAGNATUNE, "x.mp3")


def test_what_can_be_read_in_several_ways_is_told():
    files, notes = read("{artist}-{title}", "a-ha-one.mp3", "ann-one.mp3")
    assert [file.artist for file in files] == ["a", "ann"]
    assert notes == [
        "pattern '{artist}-{title}': 1 of 2 paths can be read in several ways, as a-ha-one.mp3, taken for artist 'a', "
        "title 'ha-one'"
    ]


def test_what_the_corpus_says_otherwise_wins_but_for_folders():
    pattern = PathPattern.of("{genre}/{artist}/{song}-{start}-{end}")
    told = File("a/rock/Ann/one-0-9.wav", "", "a", song="own", artist="Own")
    assert with_pattern([told], pattern) == ([File(told.path, "", "rock", song="own", artist="Own")], [])
    assert with_pattern([told], pattern, keeps_genres=True) == ([told], [])


def test_songs_are_those_of_their_artists():
    files, _ = read("{artist}/{album}/{song}", "Ann/Live/Intro.mp3", "Ann/Best of/Intro.mp3", "Bob/Live/Intro.mp3")
    assert [file.song for file in files] == ["Ann - Intro", "Ann - Intro", "Bob - Intro"]


def test_without_times_names_tell_pieces():
    files, _ = read("{artist}/{title}", "Ann/One000.wav")
    assert (files[0].artist, files[0].song) == ("Ann", "")
