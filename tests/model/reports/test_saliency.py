"""Saliency: it points at what a network looks at."""

import numpy as np
import pytest

from model.networks.windows import Windows
from model.reports import attributions, saliency
from pipelines.dataset.records import Record

FRAMES, BINS = 12, 5


@pytest.fixture(scope="module")
def network():
    """Recognises its first genre by bin 3 of the spectrogram and, half as much, by the beats; nothing else counts."""
    import keras
    from keras import layers

    inputs = {
        "mel": layers.Input((FRAMES, BINS), name="mel"),
        "beats": layers.Input((FRAMES // 2, 1), name="beats"),
        "unused": layers.Input((FRAMES, 1), name="unused"),
    }
    means = [layers.GlobalAveragePooling1D()(inputs[name]) for name in ("mel", "beats")]
    kernel = np.zeros((BINS + 1, 2), np.float32)
    kernel[3, 0], kernel[BINS, 0] = 8.0, 4.0
    dense = layers.Dense(2, activation="softmax", use_bias=False)
    model = keras.Model(inputs, dense(layers.Concatenate()(means)))
    dense.set_weights([kernel])
    return model


def test_it_adds_up_to_the_score_and_lies_where_the_network_looks(network):
    rng = np.random.default_rng(0)
    shapes = {"mel": (40, FRAMES, BINS), "beats": (40, FRAMES // 2, 1), "unused": (40, FRAMES, 1)}  # two batches
    windows = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    gradients = saliency.IntegratedGradients(network)
    for genre in (0, 1):
        maps = gradients(windows, genre)
        assert {name: values.shape for name, values in maps.items()} == shapes
        logs = np.log(network.predict(windows, verbose=0))
        scores = logs[:, genre] - logs.mean(axis=1)
        total = sum(values.sum(axis=(1, 2)) for values in maps.values())
        np.testing.assert_allclose(total, scores, atol=1e-4)
        assert not maps["unused"].any() and not np.delete(maps["mel"], 3, axis=2).any()
        sign = 1 if genre == 0 else -1
        assert (np.sign(maps["mel"][:, :, 3]) == sign * np.sign(windows["mel"][:, :, 3])).all()


def test_along_a_song_light_and_curve_lie_where_the_genre_is(network):
    frames = 40  # four windows, of which some overlap
    mel = np.zeros((frames, BINS), np.float32)
    mel[25:30, 3] = 5.0
    features = {
        "mel": mel,
        "beats": np.zeros((frames // 2, 1), np.float32),
        "unused": np.ones((frames, 1), np.float32),
    }
    names = {"mel": FRAMES, "beats": FRAMES // 2, "unused": FRAMES}
    bins = {name: features[name].shape[1] for name in names}
    windows = Windows(
        1.2,
        names,
        {n: np.zeros(b, np.float32) for n, b in bins.items()},
        {n: np.ones(b, np.float32) for n, b in bins.items()},
    )
    gradients = saliency.IntegratedGradients(network)
    light, curve = attributions.attribute(Record("a", "x", features), windows, gradients, 0)
    assert light.shape == mel.shape and curve.shape == (frames,)
    assert 25 <= curve.argmax() < 30 and curve.max() == pytest.approx(1.0)
    assert light[25:30, 3].min() > 0.5 and light[:15].max() < 0.01
    _, against = attributions.attribute(Record("a", "x", features), windows, gradients, 1)
    np.testing.assert_allclose(against, -curve, atol=1e-5)
    features["beats"][5:7] = 5.0
    _, curve = attributions.attribute(Record("a", "x", features), windows, gradients, 0)
    assert curve[10:14].max() > 0.3 and 25 <= curve.argmax() < 30
