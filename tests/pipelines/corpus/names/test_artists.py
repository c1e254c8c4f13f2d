import unicodedata

import mutagen.apev2
import mutagen.id3
import mutagen.wave
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.corpus.names.artists import normalised, read_tag
from tests import audio_files

# Latin with its accents, Greek and Cyrillic.
WORDS = st.text(st.characters(max_codepoint=0x4FF, categories=["Lu", "Ll"]), min_size=1, max_size=8)
NAMES = st.lists(WORDS, min_size=1, max_size=4)
BETWEEN = st.sampled_from(["", " ", "  ", "-", ".", " - ", "/", "_", "\u2010", " (", "! ", "\n"])


@given(st.text())
def test_a_normalised_name_stays_as_it_is(artist):
    assert normalised(normalised(artist)) == normalised(artist)


@given(NAMES, st.data())
def test_punctuation_and_spaces_do_not_count(words, data):
    assume(not {word.casefold() for word in words} & {"the", "feat", "ft"})  # which count for what they are
    spelled = "".join(word + data.draw(BETWEEN) for word in words)
    assert normalised(spelled) == normalised("".join(words))


@given(NAMES)
def test_case_does_not_count(words):
    artist = " ".join(words)
    assert normalised(artist.upper()) == normalised(artist.lower()) == normalised(artist)


@given(NAMES, st.data())
def test_accents_do_not_count(words, data):
    artist = " ".join(words)
    accented = "".join(c + data.draw(st.sampled_from(["", "\u0301", "\u0308", "\u0327"])) for c in artist.strip())
    for form in ("NFC", "NFD"):
        assert normalised(unicodedata.normalize(form, accented)) == normalised(artist)


@pytest.mark.parametrize(
    "spellings",
    [
        ["Beyonc\u00e9", "BEYONCE", "beyonce\u0301", " Beyonce "],
        [
            "Jay-Z",
            "Jay Z feat. Alicia Keys",
            "JAY-Z (ft. Alicia Keys)",
            "Jay\u2010Z [Featuring A]",
            "jay-z ft.b feat. c",
        ],
        ["Simon & Garfunkel", "Simon and Garfunkel", "SIMON + GARFUNKEL", "Simon&Garfunkel"],
        ["Destiny's Child", "Destiny\u2019s Child", "Destiny\u00b4s Child", "Destinys Child"],
        ["R.E.M.", "REM", "R. E. M.", "r.e.m"],
        ["J.S. Bach", "J. S. Bach", "JS Bach"],
        ["R\u00f8yksopp", "Royksopp"],
        ["AC/DC", "AC-DC", "Ac Dc", "ACDC"],
        ["The Beatles", "Beatles, The", "Beatles", "THE BEATLES", "Beatles,The"],
        ["Jimi Hendrix", "Hendrix, Jimi", "HENDRIX, JIMI feat. X"],
        ["The Jimi Hendrix Experience", "Jimi Hendrix Experience, The"],
        ["Miles Davis Quintet", "The Miles Davis Quintet"],
        ["Los Fabulosos Cadillacs", "Fabulosos Cadillacs, Los"],
        ["Wolfgang Amadeus Mozart", "Mozart, Wolfgang Amadeus"],
        ["Sammy Davis Jr.", "Sammy Davis, Jr."],
        ["Tyler, the Creator", "Tyler The Creator", "Tyler, The Creator"],
        ["Earth, Wind & Fire", "Earth Wind and Fire", "Earth, Wind and Fire"],
        ["Crosby, Stills, Nash & Young", "Crosby Stills Nash and Young"],
        ["10,000 Maniacs", "10.000 Maniacs", "10 000 maniacs"],
        ["Ke$ha", "Kesha"],
        ["P!nk", "Pink"],
        ["Run-D.M.C.", "Run DMC", "RunDMC"],
        ["\uff8a\uff9f\uff8c\uff6d\uff70\uff91", "\u30d1\u30d5\u30e5\u30fc\u30e0"],
    ],
)
def test_spellings_of_one_name_agree(spellings):
    assert len({normalised(spelling) for spelling in spellings}) == 1
    assert normalised(spellings[0])


@pytest.mark.parametrize(
    ("artist", "name"),
    [
        ("John Lee Hooker", "johnleehooker"),
        ("Little Feat", "littlefeat"),
        ("Little Feat feat. Bonnie Raitt", "littlefeat"),
        ("Little Feat, The", "littlefeat"),
        ("Jay-Z feat. Alicia Keys, Bob", "jayz"),
        ("Featherstone", "featherstone"),
        ("The The", "thethe"),
        ("The", "the"),
        (", The", "the"),
        ("Wham!", "wham"),
        ("$$$", "$$$"),
        ("feat. X", "featx"),
        ("!!!", "!!!"),
        ("+/-", "+/-"),
        ("311", "311"),
        ("\u30ac\u30ac", "\u30ac\u30ac"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940", "\u0939\u093f\u0928\u094d\u0926\u0940"),
        ("\ubc29\ud0c4\uc18c\ub144\ub2e8", "\ubc29\ud0c4\uc18c\ub144\ub2e8"),
        ("Unknown Mortal Orchestra", "unknownmortalorchestra"),
        ("Anonymous 4", "anonymous4"),
    ],
)
def test_names(artist, name):
    assert normalised(artist) == name


def test_others_keep_apart():
    names = [
        *(
            "Tyler, the Creator",
            "Tyler",
            "The Creator",
            "Crosby, Stills & Nash",
            "Crosby, Stills, Nash & Young",
            "Stills",
        ),
        *("Miles Davis", "Miles Davis Quintet", "Bob Marley", "Bob Marley & The Wailers", "Earth", "Wind & Fire"),
    ]
    assert len({normalised(name) for name in names}) == len(names)


def test_scripts_without_case_or_accents_keep_apart():
    assert len({normalised(artist) for artist in ("\u30ab\u30ab", "\u30ac\u30ac", "\u0915\u093f", "\u0915\u0940")}) == 4


@pytest.mark.parametrize(
    "artist",
    [
        "",
        " ",
        "-",
        "?",
        "Various Artists",
        "VARIOUS",
        "V.A.",
        "n/a",
        "<Unknown>",
        "[unknown artist]",
        "various feat. X",
    ],
)
def test_what_names_nobody_is_empty(artist):
    assert normalised(artist) == ""


FORMATS = {
    "mp3": [],
    "ogg": ["-c:a", "libvorbis"],
    "opus": ["-c:a", "libopus", "-ar", "48000"],
    "flac": [],
    "m4a": [],
    "wav": [],
    "aiff": ["-write_id3v2", "1"],
    "wma": [],
    "wv": [],
    "tta": [],
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_artist_of_a_file(tone, tmp_path, suffix):
    tagged = tmp_path / f"tagged.{suffix}"
    options = ["-metadata", "title=A title", *FORMATS[suffix]]
    audio_files.ffmpeg(tone, tagged, *options, "-metadata", "artist=Bj\u00f6rk  Gu\u00f0mundsd\u00f3ttir")
    assert read_tag(tagged) == "Bj\u00f6rk Gu\u00f0mundsd\u00f3ttir"
    assert read_tag(audio_files.ffmpeg(tone, tmp_path / f"bare.{suffix}", *options)) == ""


def test_id3_in_wav_and_ape_in_mp3(tone, tmp_path):
    wav = audio_files.ffmpeg(tone, tmp_path / "a.wav")
    tagged = mutagen.wave.WAVE(wav)
    tagged.add_tags()
    tagged.tags.add(mutagen.id3.TPE1(encoding=3, text=["", "Bj\u00f6rk", "Another"]))
    tagged.save()
    mp3 = audio_files.ffmpeg(tone, tmp_path / "a.mp3", "-id3v2_version", "0")
    tags = mutagen.apev2.APEv2()
    tags["Artist"] = "Bj\u00f6rk"
    tags.save(mp3)
    assert (read_tag(wav), read_tag(mp3)) == ("Bj\u00f6rk", "Bj\u00f6rk")


def test_a_file_without_tags_or_sense_has_no_artist(tmp_path):
    (tmp_path / "text.mp3").write_text("this is a text\n" * 100)
    (tmp_path / "empty.ogg").write_bytes(b"")
    for name in ("text.mp3", "empty.ogg", "missing.flac"):
        assert read_tag(tmp_path / name) == ""


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "opus", "flac", "m4a", "wav", "wma", "wv"])
def test_a_broken_tag_is_no_error(tone, tmp_path, suffix):
    whole = audio_files.ffmpeg(tone, tmp_path / f"w.{suffix}", *FORMATS[suffix], "-metadata", "artist=A").read_bytes()
    broken = tmp_path / f"broken.{suffix}"
    for position in range(0, min(len(whole), 1_200), 8):
        broken.write_bytes(whole[:position] + b"\xff\x00\xff" + whole[position + 3 :])
        assert isinstance(read_tag(broken), str)
        broken.write_bytes(whole[:position])
        assert isinstance(read_tag(broken), str)
