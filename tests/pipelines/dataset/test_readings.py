from pipelines.audio.quality import SILENT
from pipelines.dataset.ledger import File
from pipelines.dataset.readings import Reading, StagedReading, with_reading

FILE = File("blues/a.wav", "blues/a.wav", "blues", song="Blue", artist="", fold="train")
READING = Reading(
    "blues/a.wav", "8-1", "b1", 1.5, 8_000, 2, 3.0, True, "c1", "Ann", reason="truncated", error="the file ends early"
)


def test_a_file_has_what_reading_it_told():
    told = with_reading(FILE, READING, with_tags=True)
    assert (told.duration_s, told.sample_rate_hz, told.channels, told.content_hash) == (1.5, 8_000, 2, "c1")
    assert (told.unread_s, told.tags_unread) == (3.0, True)
    assert (told.status, told.reason, told.error) == ("written", "truncated", "the file ends early")
    assert (told.song, told.genre, told.fold, told.artist) == ("Blue", "blues", "train", "Ann")


def test_tags_say_the_artist_only_where_nothing_else_does_and_only_if_asked():
    assert with_reading(FILE, READING, with_tags=False).artist == ""
    known = File("a", "a", artist="Bea")
    assert with_reading(known, READING, with_tags=True).artist == "Bea"


def test_a_rejected_file_has_the_reason_alone():
    rejected = READING.rejected(SILENT, "peak to peak 0")
    assert rejected.is_rejected and rejected.content_hash == "c1"  # an audit compares it
    told = with_reading(FILE, rejected, with_tags=True)
    assert (told.status, told.reason, told.error) == ("rejected", "silent", "peak to peak 0")
    assert (told.fold, told.content_hash, told.duration_s, told.artist) == ("", "", 0.0, "")


def test_a_staged_reading_can_be_rejected_too():
    staged = StagedReading("a", "1-1", genre="blues", fingerprint=b"1234").rejected(SILENT, "peak to peak 0")
    assert isinstance(staged, StagedReading) and staged.is_rejected and staged.genre == "blues"
