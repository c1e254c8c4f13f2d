"""Predictions in this process: a loaded bundle that decodes and classifies files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.inference.bundle import Bundle
from model.inference.classify import WindowArrays, classify
from model.inference.prediction import REJECTED, Prediction, TimelinePoint, most_probable
from model.inference.scores import temper
from pipelines.audio import quality, time_stretch
from pipelines.common.ahead import mapped_ahead
from pipelines.common.errors import FileError
from pipelines.corpus.reading import Loader
from pipelines.features.compute import compute

_FILES_AHEAD = 2
"""So many are fetched and decoded at once: while one is fetched, another is decoded."""


class Predictor:
    """A bundle, loaded and ready to classify.

    Parameters
    ----------
    bundle : Bundle
    load_network : callable
        Gives its network, where several predictors share one. Default: it is loaded for this one.

    Raises
    ------
    SpectroshardError
        The bundle's network cannot be loaded.
    """

    def __init__(self, bundle: Bundle, load_network: Callable[[], Any] | None = None):
        self.loader = Loader()
        self.loader.start()  # meanwhile the network is loaded
        self.bundle = bundle
        self.network = (load_network or bundle.network)()
        self.windows = bundle.input_windows()
        self._tile = self.windows.compiled_tile()

    def predict(self, paths: Sequence[str], tempo: float = 1.0) -> list[Prediction]:
        """Classifies files; several files' windows share a batch.

        Parameters
        ----------
        paths : sequence of str
        tempo : float
            The files are played so many times as fast, at the same pitch. Default: 1, as they are.

        Returns
        -------
        list of Prediction
            In the order of the paths; of files that cannot be used with status 'rejected'.
        """
        predictions = {prediction.path: prediction for prediction in self.stream(paths, tempo)}
        return [predictions[path] for path in paths]

    def stream(self, paths: Iterable[str], tempo: float = 1.0) -> Iterator[Prediction]:
        """Classifies files as `predict` does, and gives each prediction when it is known.

        Some files ahead of the network are fetched and decoded meanwhile.
        """
        rejected: list[Prediction] = []

        def readable() -> Iterator[tuple[Prediction, WindowArrays]]:
            for read, inputs in mapped_ahead(lambda path: self._read(path, tempo), paths, _FILES_AHEAD):
                if inputs is None:
                    rejected.append(read)
                else:
                    yield read, inputs

        for read, window_probabilities in classify(self.network, readable()):
            yield self.prediction(read, window_probabilities)
            yield from rejected
            rejected.clear()
        yield from rejected

    def _read(self, path: str, tempo: float) -> tuple[Prediction, WindowArrays | None]:
        """What is known of a file before it is classified, and the network's inputs, none of a rejected file."""
        config = self.bundle.audio
        try:
            recording, year = self.loader.load(path, config)
            quality.check(recording, config)
        except FileError as error:
            return Prediction(path=path, status=REJECTED, reason=error.reason.name, error=error.detail), None
        samples = recording.samples
        if tempo != 1:
            samples = time_stretch.at_tempo(samples[:], config.sample_rate_hz, tempo)
        inputs = self.inputs(samples)
        duration_s, unread_s = len(samples) / config.sample_rate_hz, round(recording.unread_s, 3)
        return Prediction(path=path, duration_s=duration_s, unread_s=unread_s, year=year), inputs

    def inputs(self, samples: Any) -> WindowArrays:
        """The network's inputs for mono samples at the bundle's sample rate, shape (samples,)."""
        features = compute(samples, self.bundle.audio.sample_rate_hz, self.bundle.features)
        return self._tile(self.windows.normalise(features))

    def prediction(self, read: Prediction, window_probabilities: NDArray[np.float32]) -> Prediction:
        """A prediction with the fields that come from the network.

        Parameters
        ----------
        read : Prediction
            With its path and duration.
        window_probabilities : array, shape (windows, genres)
        """
        starts_s = self.windows.starts_s(len(window_probabilities), read.duration_s)
        timeline = tuple(
            TimelinePoint(start_s=round(start_s, 3), probabilities=self._by_genre(row))
            for start_s, row in zip(starts_s, window_probabilities, strict=True)
        )
        probabilities = self._by_genre(temper(window_probabilities.mean(axis=0), self.bundle.temperature))
        genre = most_probable(probabilities)
        classified: Mapping[str, Any] = {
            "genre": genre,
            "probability": probabilities[genre],
            "is_confident": self.bundle.is_confident(probabilities[genre]),
            "probabilities": probabilities,
            "timeline": timeline,
        }
        return read.model_copy(update=classified)

    def _by_genre(self, row: NDArray[np.float32]) -> dict[str, float]:
        return {genre: round(float(value), 6) for genre, value in zip(self.bundle.genres, row, strict=True)}
