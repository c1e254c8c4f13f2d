import warnings

import numpy as np
import pytest
import tensorflow as tf

from model.config import Training
from model.data import augment
from model.training.train import train


def test_masks_hide_a_band_and_a_stretch_and_nothing_else():
    tf.random.set_seed(1)
    training = Training(mask_bins=6, mask_frames=12)
    widths = []
    for window in augment.mask({"log_mel": tf.ones([40, 50, 20])}, training)["log_mel"].numpy():
        hidden = window == 0
        columns, rows = hidden.all(axis=0), hidden.all(axis=1)
        assert (hidden == (columns[None, :] | rows[:, None])).all()
        assert np.count_nonzero(np.diff(columns.astype(int))) <= 2 and np.count_nonzero(np.diff(rows.astype(int))) <= 2
        widths.append((columns.sum(), rows.sum()))
    assert max(w for w, _ in widths) == 5 and 8 <= max(r for _, r in widths) <= 11


def test_masks_can_be_switched_off():
    batch = {"log_mel": tf.ones([3, 50, 20])}
    assert augment.mask(batch, Training(mask_bins=0, mask_frames=0)) is batch


def test_masks_are_imported_quietly():
    augment._audio_ops.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augment._audio_ops()


def test_mixing_keeps_labels_and_windows_in_step():
    labels = tf.eye(4)
    batch = {"a": tf.reshape(tf.eye(4), [4, 1, 4])}
    mixed, mixed_labels = augment.mix(batch, labels, tf.constant([1, 2]), Training(mixup=0.4))
    np.testing.assert_allclose(mixed["a"].numpy()[:, 0], mixed_labels.numpy(), rtol=1e-6)
    np.testing.assert_allclose(mixed_labels.numpy().sum(axis=1), 1, rtol=1e-6)
    assert np.count_nonzero(mixed_labels.numpy()) > 4


def test_mixing_can_be_switched_off():
    labels = tf.eye(4)
    assert augment.mix({"a": labels}, labels, tf.constant([1, 2]), Training(mixup=0))[1] is labels


SEED = tf.constant([3, 4], tf.int64)


def ramps(windows, frames, bins):
    """Windows in which a value tells its frame."""
    return tf.tile(tf.range(frames, dtype=tf.float32)[None, :, None], [windows, 1, bins])


def test_tempi_lie_within_the_bounds_and_cover_them():
    training = Training(tempo=0.25)
    long = augment.frames_to_cut(101, training)
    assert long == 126
    played = augment.change_tempo({"log_mel": ramps(500, long, 3)}, {"log_mel": 101}, SEED, training)["log_mel"].numpy()
    assert played.shape == (500, 101, 3)
    rates = np.diff(played[:, :, 0], axis=1)
    np.testing.assert_allclose(rates, np.broadcast_to(rates[:, :1], rates.shape), atol=1e-3)
    assert 0.8 <= rates.min() < 0.82 and 1.22 < rates.max() < 1.251
    assert played.min() >= 0 and played.max() <= long - 1
    assert np.median(rates) == np.clip(np.median(rates), 0.95, 1.05)


def test_features_of_other_hops_are_played_at_the_same_tempo():
    training, frames = Training(tempo=0.25), {"log_mel": 101, "chroma": 51}
    batch = {name: ramps(20, augment.frames_to_cut(count, training), 2) for name, count in frames.items()}
    played = augment.change_tempo(batch, frames, SEED, training)
    fast, slow = (np.diff(played[name].numpy()[:, :2, 0], axis=1) for name in ("log_mel", "chroma"))
    np.testing.assert_allclose(fast, slow, atol=1e-3)


def test_pitch_shifts_mel_bins_alone_and_by_whole_bins():
    bins = tf.tile(tf.range(10, dtype=tf.float32)[None, None, :], [200, 4, 1])
    shifted = augment.change_pitch({"log_mel": bins, "chroma": bins}, SEED, Training(pitch_bins=2))
    assert shifted["chroma"] is bins
    shifts = shifted["log_mel"].numpy()[:, 0, 5] - 5
    assert set(shifts) == {-2, -1, 0, 1, 2}
    expected = np.clip(np.arange(10)[None, :] + shifts[:, None], 0, 9)
    np.testing.assert_array_equal(shifted["log_mel"].numpy(), np.broadcast_to(expected[:, None, :], (200, 4, 10)))


def test_gain_is_in_db_and_the_same_for_a_window():
    flat = tf.zeros([400, 3, 8])
    changed = augment.change_tone(
        {"log_mel": flat, "mfcc": flat}, {"log_mel": np.full(8, 2.0)}, SEED, Training(gain_db=6)
    )
    assert changed["mfcc"] is flat
    gains_db = 2 * changed["log_mel"].numpy()
    assert np.ptp(gains_db, axis=(1, 2)).max() < 1e-5
    assert 5.8 < np.abs(gains_db).max() <= 6 and abs(gains_db.mean()) < 0.5


def test_equalisation_is_smooth_over_bins_and_constant_over_time():
    training, scale = Training(equalise_db=3), {"log_mel": np.ones(81, np.float32)}
    changed = augment.change_tone({"log_mel": tf.zeros([300, 3, 81])}, scale, SEED, training)["log_mel"].numpy()
    assert np.ptp(changed, axis=1).max() == 0
    knots, between = changed[:, 0, ::20], changed[:, 0, 10::20]
    assert 2.7 < knots.std() < 3.3
    np.testing.assert_allclose(between, (knots[:, :-1] + knots[:, 1:]) / 2, atol=1e-4)


def test_changes_depend_on_the_seed_alone():
    training = Training(tempo=0.2, pitch_bins=1, gain_db=3, equalise_db=2)
    batch = {"log_mel": tf.random.stateless_normal([6, augment.frames_to_cut(20, training), 8], [1, 1])}

    def changed(seed):
        x = augment.change_tempo(batch, {"log_mel": 20}, seed, training)
        x = augment.change_pitch(x, seed, training)
        return augment.change_tone(x, {"log_mel": np.ones(8)}, seed, training)["log_mel"].numpy()

    np.testing.assert_array_equal(changed(SEED), changed(SEED))
    assert not np.array_equal(changed(SEED), changed(SEED + 1))


def test_every_change_can_be_switched_off():
    batch, labels, off = {"log_mel": tf.zeros([2, 3, 4])}, tf.eye(2), Training(mixup=0, tempo=0)
    assert augment.frames_to_cut(50, off) == 50
    assert augment.change_tempo(batch, {"log_mel": 3}, SEED, off) is batch
    assert augment.change_pitch(batch, SEED, off) is batch
    assert augment.change_tone(batch, {}, SEED, off) is batch
    assert augment.mix(batch, labels, SEED, off) == (batch, labels)


@pytest.mark.parametrize("key", ["pitch_bins", "gain_db", "equalise_db"])
def test_a_change_that_no_feature_can_have_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} changes .* only, and chroma, mfcc has none; set it to 0"):
        Training(features=("chroma", "mfcc"), **{key: 3})
    assert Training(features=("chroma", "log_mel"), **{key: 3})


@pytest.mark.slow
def test_a_network_is_trained_with_all_of_it(config, dataset, tmp_path):
    settings = {
        "tempo": 0.25, "pitch_bins": 2, "gain_db": 3, "equalise_db": 2, "mask_bins": 4, "mask_frames": 8,
        "epochs": 1, "windows_per_epoch": 1, "features": ("log_mel", "chroma"), "network": "branches",
    }  # fmt: skip
    bundle = train(config.model_copy(update={"training": Training(**settings)}), dataset, str(tmp_path / "bundle"))
    assert bundle.input_windows().frames == {"log_mel": 129, "chroma": 65}


@pytest.mark.slow
def test_averaged_weights_are_those_between(config, dataset, tmp_path):
    def weights(**settings):
        training = config.training.model_copy(update={"epochs": 1, **settings})
        folder = str(tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}")
        return train(config.model_copy(update={"training": training}), dataset, folder).network().trainable_weights

    last, barely, mostly = weights(), weights(average_momentum=1e-9), weights(average_momentum=0.5)
    distances = [
        sum(float(np.abs(a.numpy() - b.numpy()).sum()) for a, b in zip(last, other, strict=True))
        for other in (barely, mostly)
    ]
    assert distances[0] < 1e-3 * distances[1]
