"""What the tests share."""

from pathlib import Path

import hypothesis
import pytest

from pipelines.features.librosa_backend import librosa

DATA = Path(__file__).parent / "data"

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.fixture(scope="session")
def music():
    """Eight seconds of real music, mono at 22,050 Hz."""
    samples, _ = librosa.load(DATA / "xeon6.ogg", sr=22_050)
    return samples
