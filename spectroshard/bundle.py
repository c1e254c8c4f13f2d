"""A bundle as a library's user meets it: a trained model that takes audio as it is."""

import functools
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.inference import bundle as stored
from model.inference.prediction import Prediction
from pipelines.common.errors import FileError, SpectroshardError, UsageError
from pipelines.common.output.library_warnings import suppressed

if TYPE_CHECKING:
    from model.inference.predictor import Predictor

_MOST_CHANNELS = 64

Audio = str | os.PathLike[str] | ArrayLike


class Bundle:
    """A trained model with all that is needed to use it. The network is loaded when it is first asked.

    Parameters
    ----------
    manifest : model.inference.bundle.Bundle
        What its `bundle.json` says, as it stands.

    Examples
    --------
    >>> model = spectroshard.load_bundle("bundle")  # doctest: +SKIP
    >>> prediction = model.predict("song.mp3")  # doctest: +SKIP
    >>> prediction.genre, prediction.probability  # doctest: +SKIP
    ('techno', 0.93)
    """

    def __init__(self, manifest: stored.Bundle):
        self.manifest = manifest

    def __repr__(self) -> str:
        return f"Bundle({self.url!r}, {self.manifest.training.network}, {len(self.genres)} genres)"

    @property
    def url(self) -> str:
        """The folder, by path or fsspec URL."""
        return self.manifest.url

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres, in the order of the network's outputs."""
        return self.manifest.genres

    def predict(self, audio: Audio, rate: float | None = None) -> Prediction:
        """Says of which genres a song is.

        Parameters
        ----------
        audio : str, path or array
            A file of any format, by path or fsspec URL; or samples, floats from -1 to 1, shape (samples,) or
            (channels, samples), as `librosa.load` gives them.
        rate : float
            The samples' rate in Hz; of a file its own counts.

        Returns
        -------
        Prediction
            Its `genre`, `probability`, `is_confident`, the `probabilities` of all genres, and its `timeline`.

        Raises
        ------
        SpectroshardError
            The file cannot be read, or is too short or silent.
        UsageError
            There is no such file, or samples come without a rate, or in another shape or type.

        Examples
        --------
        >>> model.predict("song.mp3").probabilities  # doctest: +SKIP
        {'house': 0.04, 'techno': 0.93, 'trance': 0.03}
        >>> model.predict(*librosa.load("song.mp3", sr=None)).genre  # doctest: +SKIP
        'techno'
        """
        if isinstance(audio, str | os.PathLike):
            _refuse_rate(rate)
            _refuse_missing(audio)
            (prediction,) = self._predictor.predict([os.fspath(audio)])
            if prediction.reason:
                raise SpectroshardError(f"{prediction.path}: {prediction.reason}: {prediction.error}")
            return prediction
        samples = self._samples(audio, rate)
        read = Prediction(path="", duration_s=len(samples) / self.manifest.audio.sample_rate_hz)
        return self._predictor.prediction(read, self._classify(self._predictor.network, samples))

    def embed(self, audio: Audio, rate: float | None = None) -> NDArray[np.float32]:
        """What the network's last layer decides by: an embedding of each window of a song.

        Parameters
        ----------
        audio, rate
            As of `predict`.

        Returns
        -------
        array, shape (windows, units)
            In the order of the windows, from the song's first to its last; `mean(axis=0)` is the song's own.

        Raises
        ------
        SpectroshardError
            As `predict` does.

        Examples
        --------
        >>> model.embed("song.mp3").shape  # doctest: +SKIP
        (10, 256)
        """
        return self._classify(self._embedding_model, self._samples(audio, rate))

    @functools.cached_property
    def _predictor(self) -> "Predictor":
        with suppressed():
            from model.inference.predictor import Predictor

            return Predictor(self.manifest)

    @functools.cached_property
    def _embedding_model(self) -> Any:
        from model.networks.assembly import embedding_model

        return embedding_model(self._predictor.network)

    def _classify(self, network: Any, samples: Any) -> NDArray[np.float32]:
        """A network's outputs for the windows of a song, shape (windows, outputs)."""
        from model.inference.classify import classify

        ((_, outputs),) = classify(network, [("", self._predictor.inputs(samples))])
        return outputs

    def _samples(self, audio: Audio, rate: float | None) -> Any:
        """A song's samples as the network's features want them: mono, at the bundle's rate."""
        from pipelines.audio import decode, quality

        config = self.manifest.audio
        try:
            if isinstance(audio, str | os.PathLike):
                _refuse_rate(rate)
                _refuse_missing(audio)
                recording, _ = self._predictor.loader.load(os.fspath(audio), config)
            else:
                samples, own_rate = _mono(audio), _rate_of(rate)
                samples = samples[: round(config.max_duration_s * own_rate)]
                resampled = _resampled(samples, own_rate, config.sample_rate_hz)
                recording = decode.Recording(resampled, round(own_rate), 1, content_hash="", truncated=False)
            quality.check(recording, config)
        except FileError as error:
            source = f"{os.fspath(audio)}: " if isinstance(audio, str | os.PathLike) else ""
            raise SpectroshardError(f"{source}{error}") from error
        return recording.samples


def load_bundle(url: str | os.PathLike[str]) -> Bundle:
    """Opens a bundle.

    Parameters
    ----------
    url : str or path
        Its folder, by path or fsspec URL; or `registry:URL` for the champion of a registry.

    Returns
    -------
    Bundle

    Raises
    ------
    UsageError
        There is no bundle, or it is of another format.
    """
    from model.retraining import registry

    return Bundle(stored.Bundle.load(registry.resolve(os.fspath(url))))


def _refuse_rate(rate: float | None) -> None:
    if rate is not None:
        raise UsageError(f"rate {rate:g}: a file has its own rate; give one with samples alone")


def _refuse_missing(path: str | os.PathLike[str]) -> None:
    from model.inference.input_files import refuse_missing

    refuse_missing([os.fspath(path)])


def _rate_of(rate: float | None) -> float:
    if rate is None or rate <= 0:
        raise UsageError(f"samples need their rate in Hz, as in predict(samples, 44_100); found {rate}")
    return rate


def _mono(samples: ArrayLike) -> NDArray[np.float32]:
    """The mean of the channels."""
    values = np.asarray(samples)
    if values.dtype.kind in "UO":
        raise UsageError("one file at a time: a path, or samples as numbers; call it once for each of several files")
    if not np.issubdtype(values.dtype, np.floating):
        raise UsageError(f"samples are {values.dtype}, expected floats from -1 to 1")
    if values.ndim == 2 and len(values) <= _MOST_CHANNELS:
        values = values.mean(axis=0)
    if values.ndim != 1:
        raise UsageError(f"samples have shape {values.shape}, expected (samples,) or (channels, samples)")
    return values.astype(np.float32)


def _resampled(samples: NDArray[np.float32], rate: float, new_rate: float) -> NDArray[np.float32]:
    import soxr

    return samples if rate == new_rate else np.asarray(soxr.resample(samples, rate, new_rate, "HQ"), np.float32)
