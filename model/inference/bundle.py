"""The bundle: a trained model with all that is needed to use it, in one folder and without pickle.

<bundle>/
  bundle.json     written last: without it there is no bundle; names the other files' SHA-256
  model.keras     the network and its weights
  trained-*.parquet  what it was trained on, by content hash
  history.csv     a row for each epoch
  logs/           for TensorBoard
  metrics.json    of `spectroshard evaluate`, and report.html
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from model.config import Training
from model.inference.calibration import Calibration
from model.inference.trained_songs import AGAIN, TrainedSongs
from model.networks.windows import Windows
from pipelines.audio.schema import AudioConfig
from pipelines.common import checksum, storage
from pipelines.common.errors import SpectroshardError
from pipelines.common.manifest_file import FolderManifest
from pipelines.features.schema import Features

MODEL_NAME, HISTORY_NAME = "model.keras", "history.csv"


class Bundle(FolderManifest):
    """What `bundle.json` says.

    Attributes
    ----------
    format : int
        The version of this layout.
    training : Training
    audio : AudioConfig
    features : Features
        The network's inputs, and how they are computed.
    genres : tuple of str
        In the order of the network's outputs.
    windows : dict
        The windows' shapes and normalisation, as `Windows.to_json` gives them.
    splits : dict
        The folds of train, validation and test.
    dataset : str
        The digest of the dataset that it was trained on.
    trained : tuple of TrainedSongs
        The files that say which songs it was trained on.
    validation : dict
        The epoch whose weights were kept, counted from 0 as in `history.csv`, and its validation loss and accuracy,
        where there were validation songs.
    calibration : Calibration or None
        None where there were no validation songs: probabilities are then not tempered, and every prediction is
        confident.
    files : dict of str
        The SHA-256 of the network's file and of the history, by name; none in bundles of format 6.
    """

    KIND = "bundle"
    MADE_BY = "train"

    format: Literal[6, 7] = 7
    training: Training
    audio: AudioConfig
    features: Features
    genres: tuple[str, ...]
    windows: dict[str, Any]
    splits: dict[str, tuple[str, ...]]
    dataset: str
    trained: tuple[TrainedSongs, ...]
    validation: dict[str, float]
    calibration: Calibration | None = None
    files: dict[str, str] = Field(default_factory=dict)

    @property
    def temperature(self) -> float:
        """By which songs' log-probabilities are divided."""
        return self.calibration.temperature if self.calibration else 1.0

    def is_confident(self, probability: float) -> bool:
        """Whether a song's most probable genre, of this probability, is a confident prediction."""
        return self.calibration is None or probability >= self.calibration.threshold

    def input_windows(self) -> Windows:
        """The windows that the network takes."""
        return Windows.from_json(self.windows)

    def trained_contents(self) -> set[str]:
        """The content hashes of the songs that it was trained, or chosen and calibrated, on.

        Raises
        ------
        SpectroshardError
            A file that says so is missing or damaged.
        """
        return {song.content_hash for file in self.trained for song in file.read(self.url)}

    def check_files(self) -> None:
        """Reads every file of the bundle.

        Raises
        ------
        SpectroshardError
            One is missing, or not the one that was written.
        """
        for name in self.files or (MODEL_NAME,):
            with self._checked(name):
                pass
        self.trained_contents()

    def network(self) -> Any:
        """The Keras model, loaded in safe mode.

        Raises
        ------
        SpectroshardError
            The file is missing, or not the one that was written.
        """
        import keras

        with self._checked(MODEL_NAME) as path:
            try:
                return keras.models.load_model(path, compile=False, safe_mode=True)
            except Exception as error:  # Keras raises many kinds
                why = f"cannot be loaded ({type(error).__name__}: {' '.join(str(error).split())})"
                raise SpectroshardError(f"{storage.join(self.url, MODEL_NAME)}: {why}; {AGAIN}") from error

    @contextlib.contextmanager
    def _checked(self, name: str) -> Iterator[Path]:
        """A local path of a file that is what it was when the bundle was made."""
        url = storage.join(self.url, name)
        try:
            with storage.local_copy(url) as path:
                sha256 = checksum.sha256(str(path))
                if self.files.get(name, sha256) != sha256:
                    raise SpectroshardError(
                        f"{url}: is damaged, or another's: its SHA-256 is not the bundle's; {AGAIN}"
                    )
                yield path
        except FileNotFoundError as error:
            raise SpectroshardError(f"{url}: is missing; {AGAIN}") from error
