"""Windows: the stretches of a song that a network sees, cut and normalised in one way for all who need them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipelines.common.errors import UsageError
from pipelines.dataset.dataset import Dataset

_LEAST_DEVIATION = 1e-3

FrameSlice = Callable[[str, Any], tuple[Any, Any]]
"""Given a feature's name and its frames: the first frame of a stretch and how many, as `parse_tensors` takes it."""


@dataclass(frozen=True)
class Windows:
    """What a network's inputs are.

    Attributes
    ----------
    window_s : float
        A window's length.
    frames : dict
        A window's frames of each feature; features differ where their hops do.
    mean, deviation : dict
        Each feature's normalisation, bin by bin, shape (bins,).
    """

    window_s: float
    frames: Mapping[str, int]
    mean: Mapping[str, NDArray[np.float32]]
    deviation: Mapping[str, NDArray[np.float32]]

    @classmethod
    def of(cls, dataset: Dataset, features: Sequence[str], window_s: float, folds: Sequence[str]) -> Self:
        """The windows of a dataset, normalised by what some folds hold and by nothing else.

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
        """The windows of those of the features that are named."""
        kept: list[dict[str, Any]] = [
            {name: value for name, value in of_each.items() if name in names}
            for of_each in (self.frames, self.mean, self.deviation)
        ]
        return type(self)(self.window_s, *kept)

    def normalise(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Features with mean 0 and deviation 1 in each bin."""
        return {name: (features[name] - self.mean[name]) / self.deviation[name] for name in self.frames}

    def at(self, share: Any, held_out_share: float = 0.0) -> FrameSlice:
        """The rows of windows: gives, for a feature and its frames, the first of each window and how many.

        Parameters
        ----------
        share : tf.Tensor, float32, shape () or (windows,)
            Where in the song each window lies, from 0 (first) to 1 (last).
        held_out_share : float
            No window reaches into the rows of `held_out`.
        """
        import tensorflow as tf

        def rows(name: str, frames: Any) -> tuple[Any, Any]:
            frames = frames - self._held_out_frames(name, frames, held_out_share)
            spare = tf.maximum(frames - self.frames[name], 0)
            first = tf.cast(tf.round(share * tf.cast(spare, tf.float32)), tf.int32)
            return first, tf.minimum(frames, self.frames[name])

        return rows

    def held_out(self, share: float) -> FrameSlice:
        """The rows at a song's end that are held out: that share of them, but a window at least and half at most."""

        def rows(name: str, frames: Any) -> tuple[Any, Any]:
            count = self._held_out_frames(name, frames, share)
            return frames - count, count

        return rows

    def _held_out_frames(self, name: str, frames: Any, share: float) -> Any:
        import tensorflow as tf

        if not share:
            return 0
        wanted = tf.cast(tf.round(share * tf.cast(frames, tf.float32)), tf.int32)
        return tf.minimum(tf.maximum(wanted, self.frames[name]), frames // 2)

    def fill(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Windows of full length: what is shorter is repeated."""
        import tensorflow as tf

        filled = {}
        for name, (frames, bins) in self.shapes.items():
            values = features[name]
            filled[name] = tf.ensure_shape(tf.gather(values, tf.range(frames) % tf.shape(values)[0]), [frames, bins])
        return filled

    def tile(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """A whole song as windows, evenly spread from its first frame to its last.

        Parameters
        ----------
        features : dict
            The song's features, shape (frames, bins) each.

        Returns
        -------
        dict
            Shape (windows, frames, bins) each; as many windows as fit without overlap, and one more where over a
            tenth of a window would be left.
        """
        import tensorflow as tf

        count = self.count(tf.shape(features[next(iter(self.frames))])[0])
        rows_of = self.at(tf.linspace(0.0, 1.0, count))
        tiled = {}
        for name, (length, bins) in self.shapes.items():
            values = tf.convert_to_tensor(features[name])
            frames = tf.shape(values)[0]
            first, _ = rows_of(name, frames)
            rows = (first[:, None] + tf.range(length)[None, :]) % frames
            tiled[name] = tf.ensure_shape(tf.gather(values, rows), [None, length, bins])
        return tiled

    def compiled_tile(self) -> Callable[[Mapping[str, NDArray[np.float32]]], dict[str, NDArray[np.float32]]]:
        """`tile` as a function of arrays, in one graph, which costs less than operation by operation."""
        import tensorflow as tf

        signature = {name: tf.TensorSpec([None, bins], tf.float32) for name, (_, bins) in self.shapes.items()}
        graph = tf.function(self.tile, input_signature=[signature])
        return lambda features: {name: tensor.numpy() for name, tensor in graph(features).items()}

    def count(self, frames: Any) -> Any:
        """How many windows a song of so many frames of the first feature is tiled into."""
        import tensorflow as tf

        length = next(iter(self.frames.values()))
        return tf.maximum(tf.cast(tf.math.ceil(tf.cast(frames, tf.float32) / length - 0.1), tf.int32), 1)

    def starts_s(self, count: int, duration_s: float) -> list[float]:
        """When each of a song's windows begins."""
        spare_s = max(duration_s - self.window_s, 0.0)
        return [spare_s * index / max(count - 1, 1) for index in range(count)]

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
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
