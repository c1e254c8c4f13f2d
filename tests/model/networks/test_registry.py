import keras
import numpy as np
import pytest
import tensorflow as tf

from model.networks import blocks, registry
from model.networks.registry import NETWORKS
from model.training import rejection

SECONDS = 5
SHAPES = {
    "log_mel": (215, 128), "harmonic_mel": (215, 128), "percussive_mel": (215, 128), "mfcc": (215, 20),
    "chroma": (215, 12), "spectral_centroid": (215, 1), "spectral_rolloff": (215, 1), "onset_strength": (215, 1),
    "tempogram": (215, 384),
}  # fmt: skip


def test_seed_cnn_is_the_original_layer_for_layer():
    model = registry.of_shapes("seed_cnn", SHAPES, 10)
    layers = [layer for layer in model.layers if layer.name == "stack" or layer.count_params() or "pool" in layer.name]
    assert [(type(layer).__name__, layer.output.shape[1:], layer.count_params()) for layer in layers] == [
        ("Concatenate", (288, 432, 9), 0),
        ("Conv2D", (286, 430, 16), 1_312),
        ("MaxPooling2D", (143, 215, 16), 0),
        ("Conv2D", (141, 213, 32), 4_640),
        ("MaxPooling2D", (70, 106, 32), 0),
        ("Dense", (100,), 23_744_100),
        ("Dense", (20,), 2_020),
        ("Dense", (10,), 210),
    ]
    assert model.count_params() == 23_752_282
    kinds = [type(layer).__name__ for layer in model.layers]
    trunk = kinds[kinds.index("Concatenate") + 1 :]
    convolution = ["Conv2D", "Dropout", "MaxPooling2D"]
    assert trunk == [*convolution, *convolution, "Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense", "Reshape"]


def test_seed_cnn_sees_bins_as_rows_and_frames_as_columns():
    feature = keras.Input((10, 4))
    picture = keras.Model(feature, registry._picture(feature))
    rising = np.tile(np.arange(4.0), (10, 1))
    shown = picture(rising[None]).numpy()[0, :, :, 0]
    assert shown.shape == (288, 432)
    assert shown[0, 0] == 0 and shown[-1, 0] == 3
    late = np.tile(np.arange(10.0)[:, None], (1, 4))
    assert picture(late[None]).numpy()[0, 0, -1, 0] == 9


def test_default_is_compact():
    model = registry.of_shapes("cnn", {"log_mel": (215, 128)}, 10)
    assert model.count_params() < 1_000_000
    kinds = {type(layer).__name__ for layer in model.layers}
    assert "BatchNormalization" in kinds and any(kind.startswith("Global") for kind in kinds)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_distributions_and_loads_in_safe_mode(name, tmp_path):
    shapes = {feature: SHAPES[feature] for feature in NETWORKS[name].features}
    windows = {n: np.random.default_rng(0).normal(size=(2, *s)).astype(np.float32) for n, s in shapes.items()}
    finder = blocks.finding(registry.of_any_length(registry.of_shapes(name, shapes, 3)))
    strange = {n: 9 * values for n, values in windows.items()}
    model = rejection.verdict_of(blocks.at_tempos(finder, shapes, 0.25), [windows], [strange])
    probabilities = model.predict(windows, verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.predict(windows, verbose=0), probabilities, rtol=1e-5)


def test_networks_take_windows_of_any_length():
    for name in NETWORKS:
        if name != "seed_cnn":
            assert registry.of_shapes(name, {"log_mel": (40, 32), "chroma": (40, 12)}, 4).output.shape[2:] == (4,)


FAMILIAR = {"log_mel": np.random.default_rng(1).normal(size=(100, 40, 32)).astype(np.float32)}
STRANGE = {"log_mel": 5 + 5 * FAMILIAR["log_mel"]}


def test_a_networks_verdict_on_what_is_familiar_is_the_mean_of_its_towers_opinions():
    for name, count in {"cnn": 2, "crnn": 1}.items():
        learner = registry.of_shapes(name, {"log_mel": (40, 32)}, 3)
        model = rejection.verdict_of(blocks.finding(learner), [FAMILIAR], [STRANGE])
        opinions = learner.predict(FAMILIAR, verbose=0)
        assert opinions.shape == (100, count, 3)
        verdicts = model.predict(FAMILIAR, verbose=0)
        assert np.isclose(opinions.mean(axis=1), verdicts, rtol=1e-4).all(axis=1).mean() == pytest.approx(0.99)
        assert [v.path for v in learner.trainable_variables] == [v.path for v in model.trainable_variables]


def found_and_thought(learner, windows):
    given = {name: windows[name] for name in learner.input}
    ends = [layer.input for layer in learner.layers if layer.name.startswith("opinion_")]
    found = keras.Model(learner.input, ends).predict(given, verbose=0)
    return np.concatenate(found if len(ends) > 1 else [found], axis=1), learner.predict(given, verbose=0)


def test_finders_together_find_and_think_what_each_does():
    learners = [registry.of_shapes("cnn", {"log_mel": (40, 32)}, 3), registry.of_shapes("crnn", {"mfcc": (50, 20)}, 3)]
    windows = FAMILIAR | {"mfcc": np.random.default_rng(2).normal(size=(100, 50, 20)).astype(np.float32)}
    both = blocks.together(*(blocks.finding(learner) for learner in learners)).predict(windows, verbose=0)
    found, opinions = zip(*(found_and_thought(learner, windows) for learner in learners), strict=True)
    np.testing.assert_allclose(both["found"], np.concatenate(found, axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(both["opinions"], np.concatenate(opinions, axis=1), rtol=1e-4)


def test_at_tempos_opinions_are_the_mean_of_three_and_what_is_found_is_of_the_window_as_it_is():
    learner = registry.of_shapes("cnn", {"log_mel": (40, 32)}, 3)
    flexible = registry.of_any_length(learner)
    finder = blocks.at_tempos(blocks.finding(flexible), {"log_mel": (40, 32)}, 0.25)
    given = finder.predict(FAMILIAR, verbose=0)
    found, opinion = found_and_thought(learner, FAMILIAR)
    np.testing.assert_allclose(given["found"], found, rtol=1e-4, atol=1e-5)
    played = [tf.image.resize(FAMILIAR["log_mel"][..., None], (frames, 32))[..., 0] for frames in (50, 32)]
    others = [flexible.predict({"log_mel": values}, verbose=0) for values in played]
    np.testing.assert_allclose(given["opinions"], np.mean([opinion, *others], axis=0), rtol=1e-3)
    alike = blocks.at_tempos(blocks.finding(flexible), {"log_mel": (40, 32)}, 0.0).predict(FAMILIAR, verbose=0)
    np.testing.assert_allclose(alike["opinions"], opinion, rtol=1e-4)


def test_of_what_is_strange_a_network_is_hardly_sure_but_says_what_it_would():
    learner = registry.of_shapes("cnn", {"log_mel": (40, 32)}, 3)
    model = rejection.verdict_of(blocks.finding(learner), [FAMILIAR], [STRANGE])
    probabilities = model.predict(STRANGE, verbose=0)
    sure = learner.predict(STRANGE, verbose=0).mean(axis=1)
    assert sure.max() > 0.4
    np.testing.assert_allclose(probabilities, 1 / 3 + 0.001 * (sure - 1 / 3), atol=1e-5)
