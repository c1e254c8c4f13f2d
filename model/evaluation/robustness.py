"""Robustness to tempo: the accuracy on test songs that are time-stretched, slower and faster at the same pitch."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.inference.bundle import Bundle
from model.inference.predict import predict_at_tempos
from model.inference.prediction import REJECTED, Prediction
from model.inference.scores import FileScore, by_song, predicted_genre
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError
from pipelines.common.output.text_table import table
from pipelines.corpus import root
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File

TEMPOS = (0.8, 0.9, 1.0, 1.1, 1.25)
WORK_NAME = "tempo.work"

TempoScores = dict[float, list[FileScore]]
"""By tempo, the scores of the same files."""


def score_at_tempos(
    bundle: Bundle, dataset: Dataset, files: Sequence[File], new_pipeline: NewPipeline, folder: str = ""
) -> TempoScores:
    """Scores a bundle's test songs, from their audio files, at each of `TEMPOS`.

    Parameters
    ----------
    bundle : Bundle
    dataset : Dataset
        It says where the corpus is.
    files : sequence of File
        The test songs, rows of its ledger.
    new_pipeline : callable
        Returns an empty pipeline.
    folder : str
        Where tasks and results are kept until all files are scored, so that a run that was stopped is resumed. Default:
        a folder in the bundle's.

    Raises
    ------
    SpectroshardError
        Files cannot be read where the build read them.
    """
    file_at = {root.absolute(file.uri, dataset.root): file for file in files}
    folder = folder or storage.join(bundle.url, WORK_NAME)
    predictions = predict_at_tempos(bundle, sorted(file_at), TEMPOS, folder, new_pipeline)
    _refuse_rejected(predictions, dataset)
    scores = {tempo: [_score(p, file_at[p.path], bundle.genres) for p in some] for tempo, some in predictions.items()}
    storage.remove(folder)
    return scores


def _refuse_rejected(predictions: Mapping[float, Sequence[Prediction]], dataset: Dataset) -> None:
    rejected = {each.path: each for some in predictions.values() for each in some if each.status == REJECTED}
    if rejected:
        first = rejected[min(rejected)]
        raise SpectroshardError(
            f"{dataset.url}: {len(rejected)} of {len(predictions[1.0])} test songs cannot be read where the build read"
            f" them, the first {first.path}: {first.reason} ({first.error}); put the corpus back there, or build again"
        )


def _score(prediction: Prediction, file: File, genres: Sequence[str]) -> FileScore:
    windows = [[point.probabilities[genre] for genre in genres] for point in prediction.timeline]
    return FileScore(file.path, file.genre, file.group, file.song_or_path, np.array(windows, np.float32))


def pool(rounds: Sequence[TempoScores]) -> TempoScores:
    """The scores of several rounds' test songs as one."""
    return {tempo: [score for scores in rounds for score in scores[tempo]] for tempo in TEMPOS}


def measure_tempos(scores: Mapping[float, Sequence[FileScore]], genres: Sequence[str]) -> list[dict[str, Any]]:
    """The accuracy at each tempo, and how many songs' predicted genre it changes.

    Parameters
    ----------
    scores : dict
        By tempo, 1 among them, the scores of the same files.
    genres : sequence of str

    Returns
    -------
    list of dict
        For each tempo, slowest first: `tempo`, `song_accuracy`, and `changed`, the share of songs whose predicted genre
        differs from that at tempo 1.
    """
    predicted = {tempo: _predicted(files, genres) for tempo, files in sorted(scores.items())}
    return [
        {
            "tempo": tempo,
            "song_accuracy": float(np.mean([genre == own for (_, own), genre in of_song.items()])),
            "changed": float(np.mean([genre != predicted[1.0][song] for song, genre in of_song.items()])),
        }
        for tempo, of_song in predicted.items()
    ]


def _predicted(scores: Sequence[FileScore], genres: Sequence[str]) -> dict[tuple[str, str], str]:
    """The predicted genre of each song, by its name and its true genre."""
    return {(song.song, song.genre): predicted_genre(song.probabilities, genres) for song in by_song(scores)}


def summarise_tempos(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows of `measure_tempos`, for a terminal."""
    cells = [[f"{row['tempo']:g}", f"{row['song_accuracy']:.1%}", f"{row['changed']:.1%}"] for row in rows]
    return table(["tempo", "song accuracy", "changed predictions"], cells)
