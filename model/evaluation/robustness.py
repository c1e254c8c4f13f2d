"""Deafness to tempo: test songs played slower and faster, at the same pitch, and what the model then calls them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.inference.bundle import Bundle
from model.inference.predict import predict_at
from model.inference.prediction import REJECTED, Prediction
from model.inference.scores import FileScore, by_song, predicted_genre
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import SpectroshardError
from pipelines.common.output.text_table import table
from pipelines.dataset import ledger
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File

TEMPOS = (0.8, 0.9, 1.0, 1.1, 1.25)
WORK_NAME = "tempo.work"

Heard = dict[float, list[FileScore]]
"""Scores of the same files by tempo."""


def hear(bundle: Bundle, dataset: Dataset, new_pipeline: NewPipeline) -> Heard:
    """Scores a bundle's test songs, from their audio, at each of `TEMPOS`.

    Parameters
    ----------
    bundle : Bundle
        Orders and receipts lie in its folder until all is heard, so that what was stopped goes on.
    dataset : Dataset
        Whose ledger says where the audio is.
    new_pipeline : callable
        Gives an empty pipeline.

    Raises
    ------
    SpectroshardError
        Files cannot be read where the build read them.
    """
    written = ledger.written(dataset.ledger())
    songs = {song.uri: song for song in written if song.fold in bundle.splits["test"]}
    folder = storage.join(bundle.url, WORK_NAME)
    predictions = predict_at(bundle, sorted(songs), TEMPOS, folder, new_pipeline)
    _refuse_unheard(predictions, dataset)
    heard = {
        tempo: [_score(each, songs[each.path], bundle.genres) for each in some] for tempo, some in predictions.items()
    }
    storage.remove(folder)
    return heard


def _refuse_unheard(predictions: Mapping[float, Sequence[Prediction]], dataset: Dataset) -> None:
    unheard = {each.path: each for some in predictions.values() for each in some if each.status == REJECTED}
    if unheard:
        first = unheard[min(unheard)]
        raise SpectroshardError(
            f"{dataset.url}: {len(unheard)} of {len(predictions[1.0])} test songs cannot be read where the build read"
            f" them, the first {first.path}: {first.reason} ({first.error}); put the corpus back there, or build again"
        )


def _score(prediction: Prediction, song: File, genres: Sequence[str]) -> FileScore:
    windows = [[moment.probabilities[genre] for genre in genres] for moment in prediction.course]
    name = song.song or song.path
    return FileScore(song.path, song.genre, song.group, name, np.array(windows, np.float32))


def pool(rounds: Sequence[Heard]) -> Heard:
    """All rounds' songs together."""
    return {tempo: [score for heard in rounds for score in heard[tempo]] for tempo in TEMPOS}


def measure_tempi(heard: Mapping[float, Sequence[FileScore]], genres: Sequence[str]) -> list[dict[str, Any]]:
    """What each tempo does to songs.

    Parameters
    ----------
    heard : dict
        By tempo, the scores of the same files; of 1 among them.
    genres : sequence of str

    Returns
    -------
    list of dict
        Of each tempo, slowest first: `tempo`, `song_accuracy`, and `changed`, the share of songs that are called
        another genre than at tempo 1.
    """
    said = {tempo: _said(scores, genres) for tempo, scores in sorted(heard.items())}
    return [
        {
            "tempo": tempo,
            "song_accuracy": float(np.mean([genre == own for (_, own), genre in of_song.items()])),
            "changed": float(np.mean([genre != said[1.0][song] for song, genre in of_song.items()])),
        }
        for tempo, of_song in said.items()
    ]


def _said(scores: Sequence[FileScore], genres: Sequence[str]) -> dict[tuple[str, str], str]:
    """What each song, known by its name and its own genre, is called."""
    return {(song.song, song.genre): predicted_genre(song.probabilities, genres) for song in by_song(scores)}


def describe(rows: Sequence[Mapping[str, Any]]) -> str:
    """What `measure_tempi` gave, for a terminal."""
    cells = [[f"{row['tempo']:g}", f"{row['song_accuracy']:.1%}", f"{row['changed']:.1%}"] for row in rows]
    return table(["tempo", "song accuracy", "songs called otherwise"], cells)
