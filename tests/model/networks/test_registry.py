import keras
import numpy as np
import pytest
import tensorflow as tf

from model.config import Training
from model.networks import assembly, registry
from model.networks.registry import NETWORKS, Network
from model.training import optimizer, rejection
from pipelines.common.errors import SpectroshardError
from pipelines.features.schema import Features

SECONDS, RATE_HZ = 5, 22_050


def output_of(model, windows):
    """What `predict` gives, without its tracing, which takes seconds."""
    return keras.tree.map_structure(np.asarray, model(windows, training=False))


def shapes_of(name):
    """A network's windows of 5 s, of its own features with their defaults."""
    chosen = Features.model_validate({key: {} for key in NETWORKS[name].features}).chosen
    return {key: (round(SECONDS * RATE_HZ / feature.hop_length), feature.bins) for key, feature in chosen.items()}


def test_seed_cnn_is_the_original_layer_for_layer():
    model = registry.build("seed_cnn", shapes_of("seed_cnn"), 10)
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
    image = keras.Model(feature, registry._image(feature))
    rising = np.tile(np.arange(4.0), (10, 1))
    shown = image(rising[None]).numpy()[0, :, :, 0]
    assert shown.shape == (288, 432)
    assert shown[0, 0] == 0 and shown[-1, 0] == 3
    late = np.tile(np.arange(10.0)[:, None], (1, 4))
    assert image(late[None]).numpy()[0, 0, -1, 0] == 9


def test_default_is_compact():
    model = registry.build("cnn", {"log_mel": (215, 128)}, 10)
    assert model.count_params() < 1_000_000
    kinds = {type(layer).__name__ for layer in model.layers}
    assert "BatchNormalization" in kinds and any(kind.startswith("Global") for kind in kinds)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.slow
def test_every_network_gives_distributions_and_loads_in_safe_mode(name, tmp_path):
    shapes = shapes_of(name)
    windows = random_windows(shapes)
    embedding_model = assembly.with_embedding(registry.for_any_length(registry.build(name, shapes, 3)))
    others = {n: 9 * values for n, values in windows.items()}
    model = rejection.with_rejection(assembly.averaged_over_tempos(embedding_model, shapes, 0.25), [windows], [others])
    probabilities = model.predict(windows, verbose=0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.predict(windows, verbose=0), probabilities, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_windows_of_any_length(name):
    shapes = shapes_of(name)
    model = registry.for_any_length(registry.build(name, shapes, 3))
    for seconds in (0.6, 1.0, 1.3):
        windows = random_windows({n: (round(frames * seconds), bins) for n, (frames, bins) in shapes.items()})
        output = output_of(model, windows)
        assert output.shape[::2] == (2, 3) and np.isfinite(output).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.slow
def test_every_network_is_trained_for_a_step(name):
    shapes = shapes_of(name)
    model = registry.build(name, shapes, 3)
    optimizer.compile_for(model, 10, 1e-3, Training())
    model.run_eagerly = True  # faster than tracing it for two steps
    before = [weight.numpy() for weight in model.trainable_variables]
    for _ in range(2):  # in the first the learning rate is 0
        loss = model.train_on_batch(random_windows(shapes), np.eye(3, dtype=np.float32)[:2], return_dict=True)["loss"]
        assert np.isfinite(loss)
    assert any(not np.array_equal(a, b.numpy()) for a, b in zip(before, model.trainable_variables, strict=True))


def random_windows(shapes, count=2):
    return {n: np.random.default_rng(0).normal(size=(count, *s)).astype(np.float32) for n, s in shapes.items()}


def test_networks_take_other_features_than_their_own():
    for name in NETWORKS:
        if name != "seed_cnn":
            assert registry.build(name, {"log_mel": (40, 32), "chroma": (40, 12)}, 4).output.shape[2:] == (4,)


def flattened(inputs):
    return [keras.layers.Flatten()(inputs["log_mel"])]


def one_weight_a_frame(inputs):
    steps = keras.layers.Permute((2, 1))(inputs["log_mel"])
    return [keras.layers.Flatten()(keras.layers.Dense(1)(steps))]


@pytest.mark.parametrize("branches", [flattened, one_weight_a_frame])
def test_a_network_of_one_length_alone_is_named(branches, monkeypatch):
    monkeypatch.setitem(NETWORKS, "fixed", Network(branches, ("log_mel",)))
    model = registry.build("fixed", {"log_mel": (40, 32)}, 3)
    with pytest.raises(SpectroshardError, match=r"^network fixed: cannot take windows of any length.*; pool over time"):
        registry.for_any_length(model)


@pytest.mark.parametrize(
    ("branches", "found"),
    [
        (lambda inputs: inputs["log_mel"], "<KerasTensor"),
        (lambda inputs: [], r"\[\]"),
        (lambda inputs: [*flattened(inputs), inputs["log_mel"]], r"\['shape \(1280,\)', 'shape \(40, 32\)'\]"),
    ],
)
def test_a_network_without_proper_branches_is_named(branches, found, monkeypatch):
    monkeypatch.setitem(NETWORKS, "odd", Network(branches, ("log_mel",)))
    with pytest.raises(SpectroshardError, match=f"^network odd: expected a list .*; found {found}"):
        registry.build("odd", {"log_mel": (40, 32)}, 3)


IN_DISTRIBUTION = {"log_mel": np.random.default_rng(1).normal(size=(100, 40, 32)).astype(np.float32)}
OUT_OF_DISTRIBUTION = {"log_mel": 5 + 5 * IN_DISTRIBUTION["log_mel"]}


def test_the_output_in_distribution_is_the_mean_of_the_branches():
    for name, count in {"cnn": 2, "crnn": 1}.items():
        trainable = registry.build(name, {"log_mel": (40, 32)}, 3)
        model = rejection.with_rejection(assembly.with_embedding(trainable), [IN_DISTRIBUTION], [OUT_OF_DISTRIBUTION])
        outputs = output_of(trainable, IN_DISTRIBUTION)
        assert outputs.shape == (100, count, 3)
        probabilities = output_of(model, IN_DISTRIBUTION)
        assert np.isclose(outputs.mean(axis=1), probabilities, rtol=1e-4).all(axis=1).mean() == pytest.approx(0.99)
        assert [v.path for v in trainable.trainable_variables] == [v.path for v in model.trainable_variables]


def embedding_and_outputs(trainable, windows):
    given = {name: windows[name] for name in trainable.input}
    ends = [layer.input for layer in trainable.layers if layer.name.startswith("branch_output_")]
    embeddings = output_of(keras.Model(trainable.input, ends), given)
    return np.concatenate(embeddings if len(ends) > 1 else [embeddings], axis=1), output_of(trainable, given)


def test_models_side_by_side_give_what_each_does():
    models = [registry.build("cnn", {"log_mel": (40, 32)}, 3), registry.build("crnn", {"mfcc": (50, 20)}, 3)]
    windows = IN_DISTRIBUTION | {"mfcc": np.random.default_rng(2).normal(size=(100, 50, 20)).astype(np.float32)}
    both = output_of(assembly.side_by_side(*map(assembly.with_embedding, models)), windows)
    embeddings, outputs = zip(*(embedding_and_outputs(model, windows) for model in models), strict=True)
    np.testing.assert_allclose(both["embedding"], np.concatenate(embeddings, axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(both["branch_outputs"], np.concatenate(outputs, axis=1), rtol=1e-4)


def test_outputs_are_averaged_over_three_tempos_and_the_embedding_is_of_the_window_as_it_is():
    trainable = registry.build("cnn", {"log_mel": (40, 32)}, 3)
    flexible = registry.for_any_length(trainable)
    averaged = assembly.averaged_over_tempos(assembly.with_embedding(flexible), {"log_mel": (40, 32)}, 0.25)
    given = output_of(averaged, IN_DISTRIBUTION)
    embedding, outputs = embedding_and_outputs(trainable, IN_DISTRIBUTION)
    np.testing.assert_allclose(given["embedding"], embedding, rtol=1e-4, atol=1e-5)
    played = [tf.image.resize(IN_DISTRIBUTION["log_mel"][..., None], (frames, 32))[..., 0] for frames in (50, 32)]
    others = [output_of(flexible, {"log_mel": values}) for values in played]
    np.testing.assert_allclose(given["branch_outputs"], np.mean([outputs, *others], axis=0), rtol=1e-3)
    same = assembly.averaged_over_tempos(assembly.with_embedding(flexible), {"log_mel": (40, 32)}, 0.0)
    alike = output_of(same, IN_DISTRIBUTION)
    np.testing.assert_allclose(alike["branch_outputs"], outputs, rtol=1e-4)


def test_the_output_out_of_distribution_is_nearly_uniform_and_keeps_its_order():
    trainable = registry.build("cnn", {"log_mel": (40, 32)}, 3)
    model = rejection.with_rejection(assembly.with_embedding(trainable), [IN_DISTRIBUTION], [OUT_OF_DISTRIBUTION])
    probabilities = output_of(model, OUT_OF_DISTRIBUTION)
    sure = output_of(trainable, OUT_OF_DISTRIBUTION).mean(axis=1)
    assert sure.max() > 0.4
    np.testing.assert_allclose(probabilities, 1 / 3 + 0.001 * (sure - 1 / 3), atol=1e-5)
