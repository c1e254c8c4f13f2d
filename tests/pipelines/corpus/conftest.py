"""What tests of a corpus's files share."""

import pytest

from tests import audio_files


@pytest.fixture(scope="session")
def tone(tmp_path_factory):
    """A short file, to be copied with tags."""
    return audio_files.write(tmp_path_factory.mktemp("tags") / "tone.wav", audio_files.tone(0.3, 8_000), 8_000)
