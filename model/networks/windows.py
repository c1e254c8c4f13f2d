"""Windows: the stretches of a recording that a network takes, and how they are cut and normalised."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Dataset

_LEAST_DEVIATION = 1e-3

FrameSlice = Callable[[str, Any], tuple[Any, Any]]
"""From a feature's name and its number of frames to a slice of them: its first frame, and how many."""


@dataclass(frozen=True)
class Windows:
    """The length and the normalisation of windows.

    Attributes
    ----------
    window_s : float
        A window's length in seconds.
    frames : dict of int
        By feature, the frames of a window; features differ where their hops do.
    mean, deviation : dict of array
        By feature, the mean and standard deviation of each bin, shape (bins,).

    Examples
    --------
    >>> mean, deviation = np.zeros(2, np.float32), np.full(2, 2, np.float32)
    >>> windows = Windows(1.0, {"log_mel": 10}, {"log_mel": mean}, {"log_mel": deviation})
    >>> windows.shapes
    {'log_mel': (10, 2)}
    >>> windows.normalise({"log_mel": np.array([[1, 4]], np.float32)})
    {'log_mel': array([[0.5, 2. ]], dtype=float32)}
    """

    window_s: float
    frames: Mapping[str, int]
    mean: Mapping[str, NDArray[np.float32]]
    deviation: Mapping[str, NDArray[np.float32]]

    @classmethod
    def of(cls, dataset: Dataset, features: Sequence[str], window_s: float, folds: Sequence[str]) -> Self:
        """The windows of a dataset, normalised by the statistics of some folds alone.

        Raises
        ------
        UsageError
            The dataset lacks a feature.
        """
        if missing := [name for name in features if name not in dataset.features]:
            raise UsageError(
                f"{dataset.url}: has no feature {', '.join(missing)}, it has {', '.join(dataset.features)};"
                " build one that has it, or set training.features or training.network"
            )
        statistics = dataset.statistics(folds)
        return cls(
            window_s,
            {name: max(1, round(window_s * dataset.features[name].frame_rate_hz)) for name in features},
            {name: statistics[name][0] for name in features},
            {name: np.maximum(statistics[name][1], _LEAST_DEVIATION) for name in features},
        )

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Each feature's window as (frames, bins)."""
        return {name: (frames, len(self.mean[name])) for name, frames in self.frames.items()}

    def only(self, names: Collection[str]) -> Self:
        """The same windows, of some of the features."""
        kept: list[dict[str, Any]] = [
            {name: value for name, value in of_each.items() if name in names}
            for of_each in (self.frames, self.mean, self.deviation)
        ]
        return type(self)(self.window_s, *kept)

    def normalise(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Features with mean 0 and standard deviation 1 in each bin."""
        return {name: (features[name] - self.mean[name]) / self.deviation[name] for name in self.frames}

    def slices_at(self, position: Any, held_out_share: float = 0.0) -> FrameSlice:
        """The slices of one or more windows.

        Parameters
        ----------
        position : tf.Tensor, float32, shape () or (windows,)
            Where in the recording each window lies, from 0 (it is the first) to 1 (the last).
        held_out_share : float
            Windows stay clear of `held_out_slice(held_out_share)`.
        """
        import tensorflow as tf

        def frame_slice(name: str, frames: Any) -> tuple[Any, Any]:
            frames = frames - self._held_out_frames(name, frames, held_out_share)
            spare = tf.maximum(frames - self.frames[name], 0)
            first = tf.cast(tf.round(position * tf.cast(spare, tf.float32)), tf.int32)
            return first, tf.minimum(frames, self.frames[name])

        return frame_slice

    def held_out_slice(self, share: float) -> FrameSlice:
        """The held-out end of a recording: a share of its frames, but a window at least and half of them at most."""

        def frame_slice(name: str, frames: Any) -> tuple[Any, Any]:
            count = self._held_out_frames(name, frames, share)
            return frames - count, count

        return frame_slice

    def _held_out_frames(self, name: str, frames: Any, share: float) -> Any:
        import tensorflow as tf

        if not share:
            return 0
        wanted = tf.cast(tf.round(share * tf.cast(frames, tf.float32)), tf.int32)
        return tf.minimum(tf.maximum(wanted, self.frames[name]), frames // 2)

    def fill(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """One window of full length: repeated where it is shorter."""
        import tensorflow as tf

        filled = {}
        for name, (frames, bins) in self.shapes.items():
            values = features[name]
            filled[name] = tf.ensure_shape(tf.gather(values, tf.range(frames) % tf.shape(values)[0]), [frames, bins])
        return filled

    def tile(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """A whole recording as windows, evenly spread from its first frame to its last.

        Parameters
        ----------
        features : dict
            By feature, shape (frames, bins).

        Returns
        -------
        dict
            By feature, shape (windows, frames, bins); as many windows as `count` says.
        """
        import tensorflow as tf

        count = self.count(tf.shape(features[next(iter(self.frames))])[0])
        slice_of = self.slices_at(tf.linspace(0.0, 1.0, count))
        tiled = {}
        for name, (length, bins) in self.shapes.items():
            values = tf.convert_to_tensor(features[name])
            frames = tf.shape(values)[0]
            first, _ = slice_of(name, frames)
            rows = (first[:, None] + tf.range(length)[None, :]) % frames
            tiled[name] = tf.ensure_shape(tf.gather(values, rows), [None, length, bins])
        return tiled

    def compiled_tile(self) -> Callable[[Mapping[str, NDArray[np.float32]]], dict[str, NDArray[np.float32]]]:
        """`tile` as one compiled graph from arrays to arrays, which is faster than op by op."""
        import tensorflow as tf

        signature = {name: tf.TensorSpec([None, bins], tf.float32) for name, (_, bins) in self.shapes.items()}
        graph = tf.function(self.tile, input_signature=[signature])
        return lambda features: {name: tensor.numpy() for name, tensor in graph(features).items()}

    def count(self, frames: Any) -> Any:
        """How many windows a recording is tiled into.

        As many as fit without overlap, and one more where over a tenth of a window would be left.

        Parameters
        ----------
        frames : int or tf.Tensor
            The recording's frames of the first feature.

        Examples
        --------
        >>> windows = Windows(1.0, {"log_mel": 10}, {"log_mel": np.zeros(2)}, {"log_mel": np.ones(2)})
        >>> [int(windows.count(frames)) for frames in (3, 20, 21, 25)]
        [1, 2, 2, 3]
        """
        import tensorflow as tf

        length = next(iter(self.frames.values()))
        return tf.maximum(tf.cast(tf.math.ceil(tf.cast(frames, tf.float32) / length - 0.1), tf.int32), 1)

    def starts_s(self, count: int, duration_s: float) -> list[float]:
        """When each window of a tiled recording begins.

        Examples
        --------
        >>> windows = Windows(3.0, {"log_mel": 129}, {"log_mel": np.zeros(2)}, {"log_mel": np.ones(2)})
        >>> windows.starts_s(count=3, duration_s=10.0)
        [0.0, 3.5, 7.0]
        """
        spare_s = max(duration_s - self.window_s, 0.0)
        return [spare_s * index / max(count - 1, 1) for index in range(count)]

    def to_json(self) -> dict[str, Any]:
        """The windows as values that JSON can hold."""
        return {
            "window_s": self.window_s,
            "frames": dict(self.frames),
            "mean": {name: values.tolist() for name, values in self.mean.items()},
            "deviation": {name: values.tolist() for name, values in self.deviation.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        mean, deviation = (
            {name: np.array(numbers, np.float32) for name, numbers in values[key].items()}
            for key in ("mean", "deviation")
        )
        return cls(values["window_s"], values["frames"], mean, deviation)
