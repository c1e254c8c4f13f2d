import warnings

import numpy as np
import tensorflow as tf

from model import augment
from model.config import Training


def test_masks_hide_a_band_and_a_stretch_and_nothing_else():
    tf.random.set_seed(1)
    window = {"log_mel": tf.ones([50, 20])}
    training = Training(mask_bins=6, mask_frames=12)
    widths = []
    for _ in range(40):
        hidden = augment.mask(window, training)["log_mel"].numpy() == 0
        columns, rows = hidden.all(axis=0), hidden.all(axis=1)
        assert (hidden == (columns[None, :] | rows[:, None])).all()
        assert np.count_nonzero(np.diff(columns.astype(int))) <= 2 and np.count_nonzero(np.diff(rows.astype(int))) <= 2
        widths.append((columns.sum(), rows.sum()))
    assert max(w for w, _ in widths) == 5 and 8 <= max(r for _, r in widths) <= 11


def test_masks_can_be_switched_off():
    window = {"log_mel": tf.ones([50, 20])}
    assert augment.mask(window, Training(mask_bins=0, mask_frames=0))["log_mel"] is window["log_mel"]


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
