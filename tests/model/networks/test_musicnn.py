import importlib.util
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from model.config import Config, Training
from model.data import batches
from model.inference.predict import predict
from model.networks import musicnn
from model.networks.windows import Windows
from model.training import transfer_head
from model.training.train import train
from pipelines.audio import decode
from pipelines.audio.schema import AudioConfig
from pipelines.build.build import build
from pipelines.common.errors import UsageError
from pipelines.features.compute import compute
from pipelines.features.schema import Features
from tests.audio_files import write
from tests.conftest import DATA
from tests.model.conftest import new_pipeline

pytestmark = pytest.mark.xdist_group("musicnn")  # they share a bundle
AT_16_KHZ = {"musicnn_mel": {"n_fft": 512, "hop_length": 256}}

# Of frames 0-186 and 187-373 of xeon6.ogg, by the package's own `models.py` and checkpoint under TensorFlow 2.21 with
# tf_keras, given log10(1 + 10000 power) in float32. There the tags have these places and names.
PLACES = {0: "rock", 4: "electronic", 12: "chillout", 18: "electronica", 23: "instrumental", 28: "ambient", 49: "happy"}
OF_PACKAGE = [
    [0.048747, 0.471461, 0.251853, 0.169489, 0.111671, 0.295908, 0.002239],
    [0.073152, 0.442800, 0.213131, 0.151547, 0.109878, 0.208632, 0.003215],
]


def features_at(rate_hz, chosen):
    recording = decode.load(str(DATA / "xeon6.ogg"), AudioConfig(sample_rate_hz=rate_hz))
    return compute(recording.samples, rate_hz, Features.model_validate(chosen))["musicnn_mel"]


@pytest.fixture(scope="module")
def log_mel():
    return features_at(16_000, AT_16_KHZ)


def test_tags_are_those_of_the_package(log_mel):
    windows = np.stack([log_mel[:187], log_mel[187:374]])
    tags = musicnn.tagger(187).predict(windows, verbose=0)
    assert tags.shape == (2, musicnn.TAGS)
    np.testing.assert_allclose(tags[:, list(PLACES)], OF_PACKAGE, atol=2e-4)


def of_dataset(rate_hz, chosen):
    config = Config.model_validate({"audio": {"sample_rate_hz": rate_hz}, "features": chosen})
    return SimpleNamespace(url="songs", config=config)


def test_its_embedding_does_not_depend_on_normalisation_nor_on_the_rate(log_mel):
    whole = musicnn.tagger(187)
    pooled = keras.Model(whole.input, whole.get_layer("pooled").output).predict(log_mel[None, :187], verbose=0)
    generator = np.random.default_rng(0)
    mean, deviation = generator.normal(-30, 5, 96), generator.uniform(5, 20, 96)
    for rate_hz, chosen, error in ((16_000, AT_16_KHZ, 1e-3), (22_050, {"musicnn_mel": {}}, 0.2)):
        windows = Windows(3.0, {"musicnn_mel": 187}, {"musicnn_mel": mean}, {"musicnn_mel": deviation})
        front_end = musicnn.front_end(of_dataset(rate_hz, chosen), windows)
        assert not front_end.trainable_variables
        given = windows.normalise({"musicnn_mel": features_at(rate_hz, chosen)[None, :187]})
        difference = front_end.predict(given, verbose=0) - pooled
        assert np.sqrt((difference**2).mean()) < error * pooled.std()


def test_decibels_become_the_scale_of_musicnn():
    power = np.array([[0, 1e-9, 1e-4, 1, 1e4]])
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    np.testing.assert_allclose(musicnn._compressed(decibels), np.log10(1 + 1e4 * power), atol=1e-6)


@pytest.mark.parametrize(
    ("rate_hz", "values", "found", "wanted"),
    [
        (16_000, {}, r'"n_fft": 704.* at 16000 Hz', r"\{n_fft: 512, hop_length: 256\}"),
        (44_100, {}, r'"n_fft": 704.* at 44100 Hz', r"\{n_fft: 1411, hop_length: 706\}"),
        (22_050, {"hop_length": 512}, '"hop_length": 512', r"\{n_fft: 706, hop_length: 353\}"),
        (22_050, {"n_mels": 128}, '"n_mels": 128', r"\{n_fft: 706, hop_length: 353\}"),
    ],
)
def test_another_input_is_refused(rate_hz, values, found, wanted):
    expected = (
        rf"songs: musicnn was trained on frames of 32 ms, .*found features\.musicnn_mel .*{found}.*; build .*{wanted}"
    )
    with pytest.raises(UsageError, match=expected):
        musicnn.front_end(of_dataset(rate_hz, {"musicnn_mel": values}), None)


def test_a_rate_without_the_bins_that_it_knows_is_refused():
    with pytest.raises(UsageError, match=r"at 8000 Hz has none above 4000 Hz; build .* audio\.sample_rate_hz of 16000"):
        musicnn.front_end(of_dataset(8_000, {"musicnn_mel": {"n_fft": 256, "hop_length": 128}}), None)


def test_without_the_weights_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install --no-deps musicnn==0\.1\.0"):
        musicnn.tagger(40)


def test_the_network_takes_the_features_of_its_branches_and_that_of_musicnn():
    assert Training(network="transfer").input_features == ("log_mel", "musicnn_mel")
    assert Training(network="transfer", features=("mfcc", "chroma")).input_features == ("mfcc", "chroma", "musicnn_mel")
    with pytest.raises(
        ValueError, match="features names musicnn_mel, which the pretrained part of network transfer takes in any case"
    ):
        Training(network="transfer", features=("log_mel", "musicnn_mel"))


@pytest.fixture(scope="module")
def config_and_dataset(corpus, tmp_path_factory):
    """A configuration and a dataset for `transfer`, trained in seconds."""
    chosen = {"log_mel": {"n_mels": 32}, "musicnn_mel": {}}
    training = {"network": "transfer", "window_s": 1.0, "windows_per_epoch": 1, "epochs": 2}
    values = {"corpus": {"input": str(corpus)}, "features": chosen, "folds": {"count": 4}, "training": training}
    config = Config.model_validate(values)
    return config, build(config, str(tmp_path_factory.mktemp("transfer") / "dataset"), new_pipeline).dataset


@pytest.fixture(scope="module")
def bundle(config_and_dataset, tmp_path_factory):
    return train(*config_and_dataset, str(tmp_path_factory.mktemp("transfer") / "bundle"))


@pytest.mark.slow
def test_a_training_leaves_musicnn_as_it_was_and_its_bundle_predicts_any_audio(bundle, tmp_path, monkeypatch):
    whole = musicnn.tagger(62)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    front = bundle.network().get_layer("musicnn")
    holding = [layer for layer in front.layers if layer.weights]
    assert len(holding) == 17
    for layer in holding:
        for value, weight in zip(layer.get_weights(), whole.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(value, weight)
    (prediction,) = predict(bundle, [str(write(tmp_path / "song.wav", rate_hz=44_100))], None, new_pipeline)
    assert prediction.status == "predicted"
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)


def softmax_layers(model):
    """The softmax layers of the branches, those of inner models last."""
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    own = [layer for layer in model.layers if layer.name.startswith("branch_output_")]
    return own + [layer for each in inner for layer in softmax_layers(each)]


@pytest.mark.slow
def test_the_branches_are_those_of_the_default_and_the_head_learns(config_and_dataset, bundle, tmp_path):
    config, dataset = config_and_dataset
    default = config.model_copy(update={"training": config.training.model_copy(update={"network": "cnn"})})
    alone = softmax_layers(train(default, dataset, str(tmp_path / "cnn")).network())
    model = bundle.network()
    head, *beside = softmax_layers(model)
    assert head.name == "branch_output_head_0" and len(beside) == len(alone) == 2
    for layer, same in zip(beside, alone, strict=True):
        np.testing.assert_array_equal(layer.get_weights()[0], same.get_weights()[0])
    head_model = keras.Model(model.input, head.output)
    songs = list(batches.whole_songs(dataset, bundle.splits["train"], bundle.input_windows()).as_numpy_iterator())
    right = [
        bundle.genres[head_model.predict(song["windows"], verbose=0).mean(axis=0).argmax()] == song["genre"].decode()
        for song in songs
    ]
    assert np.mean(right) > 0.9


@pytest.mark.slow
def test_a_stopped_training_gives_the_head_of_an_undisturbed_one(config_and_dataset, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer_head, "train_head", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(*config_and_dataset, str(tmp_path / "bundle"))
    monkeypatch.undo()
    resumed = train(*config_and_dataset, str(tmp_path / "bundle"))
    for value, same in zip(resumed.network().get_weights(), bundle.network().get_weights(), strict=True):
        np.testing.assert_array_equal(value, same)


def interrupted(*args):
    raise KeyboardInterrupt
