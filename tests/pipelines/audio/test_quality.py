import pytest

from pipelines.audio import decode, quality
from pipelines.audio.schema import AudioConfig
from pipelines.common.errors import FileError
from pipelines.common.reasons import Reason
from tests.audio_files import BAD, NEARLY_BAD, cut, write

CONFIG = AudioConfig()


@pytest.mark.parametrize("reason", BAD)
def test_bad_files_are_rejected_with_their_reason(tmp_path, reason):
    BAD[reason](tmp_path / "a.wav")
    with pytest.raises(FileError) as rejected:
        quality.check(decode.load(str(tmp_path / "a.wav"), CONFIG), CONFIG)
    assert rejected.value.reason.name == reason
    assert rejected.value.detail


@pytest.mark.parametrize("reason", NEARLY_BAD)
def test_files_that_are_just_good_enough_are_not_rejected(tmp_path, reason):
    NEARLY_BAD[reason](tmp_path / "a.wav")
    quality.check(decode.load(str(tmp_path / "a.wav"), CONFIG), CONFIG)


def test_each_reason_has_a_file_that_is_just_good_enough():
    assert {value.name for value in vars(quality).values() if isinstance(value, Reason)} == NEARLY_BAD.keys()


@pytest.mark.parametrize("reason", ["silent", "not_finite", "too_short", "channels_cancel", "not_full_scale"])
def test_what_is_too_bad_to_learn_from_can_be_decoded(tmp_path, reason):
    BAD[reason](tmp_path / "a.wav")
    recording = decode.load(str(tmp_path / "a.wav"), CONFIG)
    assert len(recording.samples) and recording.content_hash


def test_truncated_under_the_minimum_is_rejected(tmp_path):
    recording = decode.load(str(cut(write(tmp_path / "a.wav"), 0.1)), CONFIG)
    with pytest.raises(FileError, match=r"0\.30 s") as rejected:
        quality.check(recording, CONFIG)
    assert rejected.value.reason.name == "truncated"
