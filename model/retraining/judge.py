"""Judging: champion and challenger score the same test songs, which neither has seen."""

import csv
import io
import time
from collections.abc import Sequence
from typing import Any

from model.evaluation import robustness
from model.evaluation.unseen import Unseen, is_in_lineage, unseen_by
from model.inference.bundle import HISTORY_NAME, MODEL_NAME, Bundle
from model.inference.classify import score_files
from model.inference.scores import FileScore
from model.retraining.comparison import Comparison, Judged, among, judge, pair
from model.retraining.registry import name_of
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.output.progress import Progress
from pipelines.dataset.dataset import Dataset

_FEWEST_GENRES = 2


def compare(
    challenger: Bundle, champion: Bundle | None, dataset: Dataset, work: str, new_pipeline: NewPipeline | None = None
) -> Comparison:
    """Compares a challenger with the champion, where there is one that can be compared.

    Parameters
    ----------
    challenger : Bundle
        In the registry, trained on this dataset.
    champion : Bundle or None
        In the registry.
    dataset : Dataset
    work : str
        A folder for tasks and results where songs are played at other tempos.
    new_pipeline : callable, optional
        Returns an empty pipeline, in which the songs are scored at other tempos too. Default: they are not.

    Returns
    -------
    Comparison

    Raises
    ------
    SpectroshardError
        A bundle or the dataset is damaged, or audio files are to be read at other tempos and cannot be.
    """
    not_judged = _foreign(champion, dataset) if champion is not None else ""
    both = [challenger, *([champion] if champion and not not_judged else [])]
    songs = unseen_by(both, dataset)
    genres = tuple(genre for genre in challenger.genres if all(genre in bundle.genres for bundle in both))
    others = tuple(sorted({genre for bundle in both for genre in bundle.genres} - set(genres)))
    counts = {"test_songs": songs.count, "seen": songs.seen, "unknown_genre": songs.unknown_genre}
    shared = {"genres": genres, "other_genres": others, **counts}
    if not songs.files or len(genres) < _FEWEST_GENRES:
        why = f"no test song is left that neither has seen, of {songs.count}" if not songs.files else _few(genres)
        return Comparison(songs=0, groups=0, challenger=None, not_judged=not_judged or why, **shared)
    judged = [_judged(bundle, dataset, songs, genres, work, new_pipeline) for bundle in both]
    of_challenger, alone = judged[0][1], None
    if set(challenger.genres) > set(genres):
        of_its_own = unseen_by(both, dataset, challenger.genres)
        alone = _judged(challenger, dataset, of_its_own, challenger.genres, work, None)[0]
    return Comparison(
        songs=len({(score.song, score.genre) for score in of_challenger}),
        groups=len({score.group for score in of_challenger}),
        challenger=judged[0][0],
        champion=judged[1][0] if judged[1:] else None,
        paired=pair(judged[1][1], of_challenger, genres) if judged[1:] else None,
        alone=alone,
        not_judged=not_judged,
        **shared,
    )


def _foreign(champion: Bundle, dataset: Dataset) -> str:
    """Why a champion cannot be judged on a dataset; empty where it can."""
    if is_in_lineage(champion, dataset):
        return ""
    return (
        f"the champion {name_of(champion)} was trained on another dataset (digest {champion.dataset[:12]}), so that"
        " nothing tells which test songs it has seen"
    )


def _few(genres: Sequence[str]) -> str:
    return f"both know only {', '.join(genres) or 'no genre'} in common, expected two genres or more"


def _judged(
    bundle: Bundle,
    dataset: Dataset,
    songs: Unseen,
    genres: tuple[str, ...],
    work: str,
    new_pipeline: NewPipeline | None,
) -> tuple[Judged, list[FileScore]]:
    name, model = name_of(bundle), bundle.network()
    scores: list[FileScore] = []
    started_s = time.monotonic()
    with Progress(f"Score {name}", len(songs.files), lambda: len(scores)):
        windows, heat = bundle.input_windows(), bundle.temperature
        for score in score_files(model, dataset, songs.folds, windows, temperature=heat, files=songs.files):
            scores.append(score)  # one by one, as the progress counts them
    measured: dict[str, Any] = {
        "seconds_per_song": round((time.monotonic() - started_s) / len(scores), 4),
        "size_bytes": storage.sizes(bundle.url)[MODEL_NAME],
        "training_seconds": _training_seconds(bundle),
    }
    if new_pipeline:
        folder = storage.join(work, f"tempo-{name}")
        at_tempos = robustness.score_at_tempos(bundle, dataset, songs.files, new_pipeline, folder)
        chosen = {tempo: among(some, bundle.genres, genres) for tempo, some in at_tempos.items()}
        rows = robustness.measure_tempos(chosen, genres)
        measured["tempos"] = {f"{row['tempo']:g}": row["song_accuracy"] for row in rows}
    chosen_among = among(scores, bundle.genres, genres)
    return judge(name, chosen_among, genres, **measured), chosen_among


def _training_seconds(bundle: Bundle) -> float:
    text = storage.read_bytes(storage.join(bundle.url, HISTORY_NAME)).decode()
    return round(sum(float(row.get("elapsed_s") or 0) for row in csv.DictReader(io.StringIO(text))), 1)
