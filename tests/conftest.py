"""What the tests share."""

from pathlib import Path

import librosa
import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def music():
    """Eight seconds of real music, mono at 22,050 Hz."""
    samples, _ = librosa.load(DATA / "xeon6.ogg", sr=22_050)
    return samples
