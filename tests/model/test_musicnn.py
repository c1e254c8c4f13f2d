import importlib.util
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from model import musicnn, networks
from model.config import Config
from model.predict import predict
from model.train import train
from model.windows import Windows
from pipelines import audio, features
from pipelines.build import build
from pipelines.config import AudioConfig
from pipelines.errors import UsageError
from pipelines.features import Features
from tests.audio_files import write
from tests.conftest import DATA
from tests.model.conftest import new_pipeline

KNOWN = {name: feature.model_dump() for name, feature in musicnn.TRAINED_ON.features.items()}
AUDIO = {"sample_rate_hz": 16_000}

# Of frames 0-186 and 187-373 of xeon6.ogg, by the package's own `models.py` and checkpoint under TensorFlow 2.21 with
# tf_keras, given log10(1 + 10000 power) in float32. There the tags have these places and names.
PLACES = {0: "rock", 4: "electronic", 12: "chillout", 18: "electronica", 23: "instrumental", 28: "ambient", 49: "happy"}
OF_PACKAGE = [
    [0.048747, 0.471461, 0.251853, 0.169489, 0.111671, 0.295908, 0.002239],
    [0.073152, 0.442800, 0.213131, 0.151547, 0.109878, 0.208632, 0.003215],
]


@pytest.fixture(scope="module")
def log_mel():
    recording = audio.load(str(DATA / "xeon6.ogg"), AudioConfig(**AUDIO))
    return features.compute(recording.samples, 16_000, Features(**KNOWN))["log_mel"]


def test_tags_are_those_of_the_package(log_mel):
    windows = np.stack([log_mel[:187], log_mel[187:374]])
    tags = musicnn.tagger(187).predict(windows, verbose=0)
    assert tags.shape == (2, musicnn.TAGS)
    np.testing.assert_allclose(tags[:, list(PLACES)], OF_PACKAGE, atol=2e-4)


def test_decibels_become_the_scale_of_musicnn():
    power = np.array([[0, 1e-9, 1e-4, 1, 1e4]])
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    np.testing.assert_allclose(musicnn._compressed(decibels), np.log10(1 + 1e4 * power), atol=1e-6)


def test_what_was_normalised_reaches_the_network_as_it_was(log_mel):
    generator = np.random.default_rng(0)
    mean, deviation = generator.normal(-30, 5, 96), generator.uniform(5, 20, 96)
    windows = Windows(1.0, {"log_mel": 60}, {"log_mel": mean}, {"log_mel": deviation})
    plain = networks.of_shapes("transfer", windows.shapes, 3)
    raw = {"log_mel": log_mel[None, :60]}
    given = networks.of_shapes("transfer", windows.shapes, 3, lambda inputs: networks._as_they_were(inputs, windows))
    given.set_weights(plain.get_weights())
    probabilities = given.predict(windows.normalise(raw), verbose=0)
    np.testing.assert_allclose(probabilities, plain.predict(raw, verbose=0), rtol=1e-4)


@pytest.mark.parametrize(
    ("config", "used", "found"),
    [
        ({"features": KNOWN}, ["log_mel"], r"found audio\.sample_rate_hz 22050"),
        ({"audio": AUDIO, "features": {"log_mel": {}}}, ["log_mel"], r'found .* features\.log_mel \{"n_fft": 2048'),
        ({"audio": AUDIO, "features": KNOWN | {"chroma": {}}}, ["log_mel", "chroma"], r"found .*features\.chroma"),
    ],
)
def test_another_input_is_refused(config, used, found):
    dataset = SimpleNamespace(url="songs", config=Config.model_validate(config))
    wanted = r"songs: network transfer knows audio\.sample_rate_hz 16000, features\.log_mel .*\"hop_length\": 256"
    with pytest.raises(UsageError, match=rf"{wanted}.*{found}.*configs/soundtracks-transfer\.yaml"):
        musicnn.TRAINED_ON.check("transfer", dataset, used)


def test_without_the_weights_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install --no-deps musicnn==0\.1\.0"):
        musicnn.tagger(40)


def test_a_training_leaves_the_front_end_as_it_was_and_its_bundle_predicts_any_audio(corpus, tmp_path, monkeypatch):
    values = {"corpus": {"input": str(corpus)}, "audio": AUDIO, "features": KNOWN, "folds": {"count": 4}}
    training = {"network": "transfer", "window_s": 1.0, "windows_per_song": 1, "windows_per_epoch": 1, "epochs": 1}
    config = Config.model_validate(values | {"training": training})
    bundle = train(config, build(config, str(tmp_path / "dataset"), new_pipeline).dataset, str(tmp_path / "bundle"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    trained = bundle.network()
    front = next(layer for layer in _layers(trained) if layer.name == "musicnn")
    monkeypatch.undo()
    whole = musicnn.tagger(62)
    holding = [layer for layer in front.layers if layer.weights]
    assert len(holding) == 17
    for layer in holding:
        for value, weight in zip(layer.get_weights(), whole.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(value, weight)
    (prediction,) = predict(bundle, [str(write(tmp_path / "song.wav", rate_hz=44_100))], None, new_pipeline)
    assert prediction.status == "predicted"
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)


def _layers(model):
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
