"""The library, as a user imports it."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import librosa
import numpy as np
import pyarrow as pa
import pytest

import spectroshard
from spectroshard.windows import count, cut
from tests.audio_files import BAD, tone, write
from tests.spectroshard.conftest import CONFIG

HEAVY = ("tensorflow", "keras", "apache_beam", "librosa", "numba", "numpy", "pyarrow", "pydantic", "fsspec", "torch")


def test_the_import_loads_nothing_heavy():
    script = f"import sys, spectroshard; dir(spectroshard); print([m for m in {HEAVY} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_reading_a_dataset_loads_no_tensorflow_and_no_beam(ds):
    script = f"""
import sys, spectroshard
print(len(list(spectroshard.load({ds.url!r}).split("train"))))
print([m for m in ("tensorflow", "apache_beam", "numba") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "8\n[]\n"


def test_every_name_is_there_and_documented():
    for name in spectroshard.__all__:
        assert name in dir(spectroshard)
        assert name == "__version__" or len(getattr(spectroshard, name).__doc__) > 20
    with pytest.raises(AttributeError, match="has no attribute 'laod'"):
        spectroshard.laod  # noqa: B018


def test_a_dataset_says_what_it_holds(ds):
    assert repr(ds) == f"Dataset({ds.url!r}, 16 songs, 2 genres, log_mel, spectral_centroid)"
    assert ds.genres == ("high", "low") and len(ds) == 16
    assert ds.features["log_mel"].bins == 32
    assert isinstance(ds.songs, pa.Table) and ds.songs.num_rows == 16
    assert set(ds.songs.column("status").to_pylist()) == {"written"}
    with pytest.raises(spectroshard.UsageError, match="no split 'dev'; a dataset has train, validation, test"):
        ds.split("dev")


@pytest.mark.parametrize("url", [str, Path, lambda url: f"file://{url}"])
def test_a_dataset_is_loaded_from_a_path_or_a_url(ds, url):
    again = spectroshard.load(url(ds.url))
    assert [song.id for song in again.split("test")] == [song.id for song in ds.split("test")]


def test_a_version_is_named_wherever_a_dataset_is(ds, model, tmp_path):
    first = f"{ds.url}@1"
    assert spectroshard.load(first).version == 1 == ds.version
    assert spectroshard.audit(first, tmp_path / "audit", workers=1).source == first
    assert spectroshard.evaluate(model.url, first)["version"] == 1
    with pytest.raises(spectroshard.UsageError, match="no version 9; there are 1"):
        spectroshard.train(f"{ds.url}@9", tmp_path / "b")


def test_each_song_is_in_one_split(ds):
    songs = [song for split in ("train", "validation", "test") for song in ds.split(split)]
    assert Counter(song.id for song in songs) == Counter(ds.songs.column("path").to_pylist())
    assert [len(ds.split(split)) for split in ("train", "validation", "test")] == [8, 4, 4]


def test_a_song_has_its_features_and_their_times(ds):
    song = next(iter(ds.split("test")))
    assert song.id.startswith(f"{song.genre}/") and song.group
    assert song["log_mel"].dtype == np.float32 and song["log_mel"].shape == (130, 32)
    for name, hop_length in (("log_mel", 512), ("spectral_centroid", 1024)):
        expected = librosa.frames_to_time(np.arange(len(song[name])), sr=22_050, hop_length=hop_length)
        assert np.allclose(song.frame_times_s[name], expected)
    with pytest.raises(KeyError, match="no feature 'mfcc'; the dataset has log_mel, spectral_centroid"):
        song["mfcc"]


def test_batches_in_order_are_every_window_of_every_song(ds):
    split = ds.split("train")
    batches = list(split.to_tf(window_s=1.0, batch_size=5).as_numpy_iterator())
    assert [len(labels) for _, labels in batches] == [5, 5, 5, 5, 4]
    features = np.concatenate([features["log_mel"] for features, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    assert features.shape == (24, 43, 32) and labels.dtype == np.int64
    assert [ds.genres[label] for label in labels[::3]] == [song.genre for song in split]
    windows = split.windows(1.0)
    for number, song in enumerate(split):
        values = windows.normalise(song.features)["log_mel"]
        assert count(len(values), 43) == 3
        of_song = [cut(values, 43, share) for share in np.linspace(0, 1, 3)]
        assert np.allclose(features[3 * number : 3 * number + 3], of_song, atol=1e-4)


@pytest.mark.parametrize("frames", [20, 43, 47, 48, 90, 130, 1000])
def test_windows_without_tensorflow_are_those_of_the_trainer(ds, frames):
    windows = ds.split("train").windows(1.0)
    values = {name: np.random.default_rng(0).normal(size=(frames, len(mean))) for name, mean in windows.mean.items()}
    tiled = windows.tile({name: array.astype(np.float32) for name, array in values.items()})
    number = count(frames, windows.frames["log_mel"])
    for name, length in windows.frames.items():
        assert np.allclose(tiled[name], [cut(values[name], length, share) for share in np.linspace(0, 1, number)])


def test_shuffled_batches_are_one_window_a_song_and_others_each_time(ds):
    batches = ds.split("train").to_tf(window_s=1.0, batch_size=3, shuffle=True, seed=1)
    assert batches.cardinality() == 3
    first, second = (list(batches.as_numpy_iterator()) for _ in range(2))
    again = list(ds.split("train").to_tf(window_s=1.0, batch_size=3, shuffle=True, seed=1).as_numpy_iterator())
    for epoch in (first, second, again):
        assert [len(labels) for _, labels in epoch] == [3, 3, 2]
        assert Counter(label for _, labels in epoch for label in labels) == {0: 4, 1: 4}

    def values(epoch):
        return np.concatenate([features["log_mel"] for features, _ in epoch])

    assert np.array_equal(values(first), values(again)) and not np.array_equal(values(first), values(second))


@pytest.mark.slow
def test_a_keras_model_learns_from_them(ds):
    import keras

    keras.utils.set_random_seed(1)
    inputs = {name: keras.Input((round(rate), bins), name=name) for name, rate, bins in [("log_mel", 43, 32)]}
    outputs = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(inputs["log_mel"]))
    network = keras.Model(inputs, outputs)
    network.compile("adam", "sparse_categorical_crossentropy")
    batches = ds.split("train").to_tf(window_s=1.0, batch_size=4, shuffle=True)
    batches = batches.map(lambda features, labels: ({"log_mel": features["log_mel"]}, labels))
    losses = network.fit(batches, epochs=5, shuffle=False, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_to_torch_says_what_is_missing(ds, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "spectroshard.torch_windows", raising=False)
    with pytest.raises(spectroshard.SpectroshardError, match="needs PyTorch, which is not installed"):
        ds.split("train").to_torch()


def test_the_result_of_an_audit(ds, tmp_path):
    result = spectroshard.audit(ds, tmp_path / "audit", workers=1)
    assert not result.fails and "no leak found" in result.conclusion
    assert (tmp_path / "audit" / "audit.html").exists()


def test_an_evaluation_gives_figures_and_a_page(ds, model):
    metrics = spectroshard.evaluate(model.url, ds.url)
    assert metrics["song_accuracy"] == 1 and metrics["songs"] == 4
    assert (Path(model.url) / "report.html").exists()


@pytest.mark.slow
def test_a_training_has_the_datasets_folds_unless_it_is_told_others(ds, model, tmp_path):
    assert model.manifest.splits == {"train": ("fold-02", "fold-03"), "validation": ("fold-01",), "test": ("fold-00",)}
    quick = {**CONFIG["training"], "epochs": 1, "windows_per_epoch": 1}
    other = spectroshard.train(ds, tmp_path / "b", {"training": quick, "folds": {"test": [3]}})
    assert other.manifest.splits["test"] == ("fold-03",) and other.manifest.splits["validation"] == ("fold-01",)


def test_a_file_and_its_samples_are_predicted_alike(model, music):
    path = music / "low" / "1.wav"
    of_file = spectroshard.load_bundle(model.url).predict(path)
    assert of_file.genre == "low" and of_file.path == str(path)
    assert sum(of_file.probabilities.values()) == pytest.approx(1, abs=1e-4)
    samples, rate = librosa.load(path, sr=None)
    for given in (samples, np.stack([samples, samples]), samples.astype(np.float64).tolist()):
        of_samples = model.predict(given, rate)
        assert of_samples.probabilities == pytest.approx(of_file.probabilities, abs=0.01)
        assert len(of_samples.timeline) == len(of_file.timeline) == 3


def test_embeddings_tell_genres_apart(model, music):
    def embedded(name):
        return model.embed(music / name)

    low, low_too, high = embedded("low/1.wav"), embedded("low/2.wav"), embedded("high/1.wav")
    assert low.shape == high.shape and low.shape[0] == 3 and low.shape[1] > 16
    near, far = (np.linalg.norm(low.mean(axis=0) - other.mean(axis=0)) for other in (low_too, high))
    assert near < far
    samples, rate = librosa.load(music / "low" / "1.wav", sr=None)
    assert np.allclose(model.embed(samples, rate), low, atol=0.1)


def test_what_cannot_be_used_is_an_error_that_says_why(model, tmp_path):
    BAD["not_audio"](tmp_path / "bad.wav")
    write(tmp_path / "short.wav", tone(0.1))
    for use in (model.predict, model.embed):
        with pytest.raises(spectroshard.SpectroshardError, match=r"bad.wav: not_audio: "):
            use(tmp_path / "bad.wav")
        with pytest.raises(spectroshard.SpectroshardError, match="too_short"):
            use(tmp_path / "short.wav")
        with pytest.raises(spectroshard.SpectroshardError, match="silent"):
            use(np.zeros(44_100, np.float32), 44_100)
        with pytest.raises(spectroshard.UsageError, match="samples need their rate"):
            use(np.zeros(44_100, np.float32))
        with pytest.raises(spectroshard.UsageError, match="a file has its own rate"):
            use(tmp_path / "bad.wav", 44_100)
        with pytest.raises(spectroshard.UsageError, match="samples are int16, expected floats"):
            use(np.zeros(44_100, np.int16), 44_100)
        with pytest.raises(spectroshard.UsageError, match=r"shape \(44100, 2\), expected"):
            use(np.zeros((44_100, 2), np.float32), 44_100)
        with pytest.raises(spectroshard.UsageError, match="one file at a time"):
            use([str(tmp_path / "bad.wav")])
        with pytest.raises(spectroshard.UsageError, match=r"gone\.wav: no such file"):
            use(tmp_path / "gone.wav")


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(spectroshard.UsageError, match="no dataset there"):
        spectroshard.load(tmp_path)
    with pytest.raises(spectroshard.UsageError, match="no bundle there"):
        spectroshard.load_bundle(tmp_path)
    with pytest.raises(spectroshard.SpectroshardError, match=r"no music given"):
        spectroshard.build({}, tmp_path / "d")
    with pytest.raises(spectroshard.UsageError, match=r"is a folder, expected a configuration; .* music="):
        spectroshard.build(tmp_path, tmp_path / "d")


def test_windows_longer_than_songs_are_warned_of(ds):
    with pytest.warns(UserWarning, match=r"window_s=300 is longer than the mean song \(3 s\)"):
        ds.split("test").to_tf(window_s=300)
