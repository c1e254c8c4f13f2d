"""The leak gap: what is held out, and what the two scores say."""

import numpy as np
import pytest

from model.config import Training
from model.data import batches as stream
from model.evaluation import leak_gap
from model.inference.scores import FileScore
from model.networks.windows import Windows

TRAINING = Training(window_s=2.0, windows_per_song=4, windows_per_epoch=1, batch_size=8, epochs=2, mixup=0.0)


class Clock(Windows):
    """Windows that are not normalised, so that a feature that tells its time still does."""

    def normalise(self, features):
        return {name: features[name] for name in self.frames}


@pytest.fixture
def timed(dataset, monkeypatch):
    """A dataset each of whose frames tells its own number, and that of the song's last frame."""
    from pipelines.dataset import tensors

    features_of = tensors.features_of

    def of_times(song, names, rows=None):
        import tensorflow as tf

        times = tf.range(tf.shape(song["chroma"])[0])[:, None] + tf.zeros([1, 12], tf.int32)
        return features_of({"chroma": times}, names, rows)

    monkeypatch.setattr(tensors, "features_of", of_times)
    return dataset, Clock.of(dataset, ["chroma"], 2.0, ["fold-02", "fold-03"])


def frames_seen(dataset, windows, share):
    training = TRAINING.model_copy(update={"held_out_share": share, "tempo": 0.0, "features": ("chroma",)})
    batches = stream.training_batches(dataset, ["fold-02", "fold-03"], windows, training)
    return np.concatenate([features["chroma"].ravel() for features, _, _ in batches.as_numpy_iterator()])


def test_no_window_that_is_trained_on_reaches_into_what_is_held_out(timed):
    dataset, windows = timed
    frames = round(6.0 * dataset.features["chroma"].frame_rate_hz) + 1
    held_out = windows.frames["chroma"]  # a sixth of 6 s is less than a window
    seen = frames_seen(dataset, windows, 1 / 6)
    assert frames - held_out - 8 < seen.max() < frames - held_out
    assert frames_seen(dataset, windows, 0.0).max() > frames - 8
    rows = windows.held_out_slice(1 / 6)
    ends = [s["windows"]["chroma"] for s in stream.whole_songs(dataset, ["fold-02"], windows, rows).as_numpy_iterator()]
    assert {(end.min(), end.max()) for end in ends} == {(frames - held_out, frames - 1)}


@pytest.mark.parametrize(("frames", "held_out"), [(600, 100), (120, 40), (60, 30), (41, 20), (1, 0)])
def test_a_window_at_least_and_half_of_a_song_at_most_is_held_out(frames, held_out):
    windows = Windows(1.0, {"x": 40}, {"x": np.zeros(1)}, {"x": np.ones(1)})
    first, count = windows.held_out_slice(1 / 6)("x", frames)
    assert (int(first), int(count)) == (frames - held_out, held_out)
    last, length = windows.slices_at(1.0, 1 / 6)("x", frames)
    assert int(last) + int(length) == frames - held_out


def score(song, genre, *segments):
    return FileScore(song, genre, song, song, np.array([[p, 1 - p] for p in segments], np.float32))


def test_both_scores_of_made_up_songs():
    trained = {
        "fold-00": [score("b", "x", 0.9, 0.8), score("c", "y", 0.9)],
        "fold-01": [score("a", "x", 0.9), score("c", "y", 0.1)],
    }
    unseen = [score("a", "x", 0.2), score("b", "x", 0.9, 0.1, 0.1), score("c", "y", 0.1)]
    gap = leak_gap.measure_gap(trained, unseen, ("x", "y"))
    told = {side: (gap[side]["songs"], gap[side]["predictions"], gap[side]["segments"]) for side in gap}
    assert told == {"trained_songs": (3, 4, 5), "unseen_songs": (3, 3, 5)}
    assert (gap["trained_songs"]["song_accuracy"], gap["trained_songs"]["segment_accuracy"]) == (3 / 4, 4 / 5)
    assert (gap["unseen_songs"]["song_accuracy"], gap["unseen_songs"]["segment_accuracy"]) == (1 / 3, 2 / 5)
    assert "75.0% (" in leak_gap.summarise_gap(gap)
    assert "33.3% (" in leak_gap.summarise_gap(gap)
    assert leak_gap.draw_gap(gap) == leak_gap.draw_gap(gap)
