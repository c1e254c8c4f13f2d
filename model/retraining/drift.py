"""Drift: how what is new in the corpus differs from what the champion was trained on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from model.config import Alarms
from model.inference.bundle import Bundle
from model.inference.classify import classify
from model.inference.prediction import least_probability
from pipelines.common.section import Section
from pipelines.dataset import versions
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.ledger import File, count_rejects, written
from pipelines.dataset.reading import read_record

MOST_SONGS = 200
"""Of how many songs, drawn by their records' ids, features are read and classified; those of each side."""


class Drift(Section):
    """How the new songs differ.

    Attributes
    ----------
    since : int
        The version of the dataset that they are new since: that which the champion was trained on.
    new_songs : int
        How many there are.
    effect_sizes : dict of float
        By feature and figure, as 'log_mel level': Cohen's d of the new songs against the champion's training songs.
    genre_shares : float
        The total variation distance of the genres' shares.
    new_shares, trained_shares : dict of float
        The genres' shares among the new songs, and among the champion's training songs.
    predicted_mixture : float
        The total variation distance of the champion's mean predicted mixture, new songs against its test songs.
    out_of_distribution : float
        The share of the new songs' windows that the champion rejects.
    test_out_of_distribution : float
        The same of its test songs, which it does not know either.
    new_files : int
        How many files are new, rejected ones included.
    rejects : dict of float
        The share of the new files that was rejected, by reason.
    alarms : tuple of str
        What goes beyond what the configuration's `alarms` allow, a sentence each.
    """

    since: int
    new_songs: int
    effect_sizes: dict[str, float] = Field(default_factory=dict)
    genre_shares: float = 0.0
    new_shares: dict[str, float] = Field(default_factory=dict)
    trained_shares: dict[str, float] = Field(default_factory=dict)
    predicted_mixture: float = 0.0
    out_of_distribution: float = 0.0
    test_out_of_distribution: float = 0.0
    new_files: int = 0
    rejects: dict[str, float] = Field(default_factory=dict)
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Seen:
    """What songs are like: each feature's level and spread by song, and the champion's probabilities for windows."""

    figures: Mapping[str, NDArray[np.float64]]
    probabilities: NDArray[np.float32]


def measure_drift(champion: Bundle, trained_on: int, dataset: Dataset, alarms: Alarms) -> Drift | None:
    """How the songs that are new since the champion's version differ from what it was trained on.

    Parameters
    ----------
    champion : Bundle
    trained_on : int
        The version of the dataset that it was trained on.
    dataset : Dataset
        A later version of the one that it was trained on.
    alarms : Alarms

    Returns
    -------
    Drift or None
        None where nothing is new, or the champion's version of the dataset is there no more.
    """
    before = _version_of(champion, trained_on, dataset)
    if before is None:
        return None
    earlier, rows = before.ledger(), dataset.ledger()
    known_files, known_songs = {row.uri for row in earlier}, {row.content_hash for row in written(earlier)}
    new_files = [row for row in rows if row.uri not in known_files]
    new = [row for row in written(rows) if row.content_hash not in known_songs]
    if not new and not new_files:
        return None
    rejected = count_rejects(new_files)
    drift = Drift(
        since=before.version,
        new_songs=len(new),
        new_files=len(new_files),
        rejects={reason: count / len(new_files) for reason, count in rejected.items()},
    )
    if new:
        train, test = (
            [row for row in written(earlier) if row.fold in champion.splits[split]] for split in ("train", "test")
        )
        drift = drift.model_copy(update=_differences(champion, (dataset, new), (before, train), (before, test)))
    return drift.model_copy(update={"alarms": tuple(exceeding(alarms, drift))})


def _version_of(champion: Bundle, number: int, dataset: Dataset) -> Dataset | None:
    """The version of the dataset that the champion was trained on, if it is there still."""
    if number not in versions.numbers(dataset.url):
        return None
    found = versions.version(dataset.url, number)
    return found if found.digest == champion.dataset else None


Songs = tuple[Dataset, Sequence[File]]


def _differences(champion: Bundle, new: Songs, train: Songs, test: Songs) -> dict[str, Any]:
    model = champion.network()
    of_new, of_train = _seen(champion, model, *new), _seen(champion, model, *train)
    of_test = _seen(champion, model, *test) if test[1] else None
    new_shares, trained_shares = _shares(new[1]), _shares(train[1])
    return {
        "effect_sizes": {
            name: round(effect_size(values, of_train.figures[name]), 3) for name, values in of_new.figures.items()
        },
        "genre_shares": round(total_variation(new_shares, trained_shares), 4),
        "new_shares": new_shares,
        "trained_shares": trained_shares,
        "predicted_mixture": round(
            total_variation(_mixture(of_new, champion), _mixture(of_test, champion)) if of_test else 0.0, 4
        ),
        "out_of_distribution": _rejected_share(of_new),
        "test_out_of_distribution": _rejected_share(of_test) if of_test else 0.0,
    }


def _seen(champion: Bundle, model: Any, dataset: Dataset, files: Sequence[File]) -> _Seen:
    windows, figures = champion.input_windows(), dict[str, list[float]]()
    tile = windows.compiled_tile()

    def inputs() -> Iterator[tuple[str, Mapping[str, NDArray[np.float32]]]]:
        # By id, a hash, so that the same songs are drawn each time, and of every genre and folder alike.
        for file in sorted(files, key=lambda file: file.record)[:MOST_SONGS]:
            record = read_record(dataset, file)
            assert record is not None  # the file is written
            features = {name: record.features[name] for name in windows.shapes}
            for name, values in features.items():
                figures.setdefault(f"{name} level", []).append(float(values.mean()))
                figures.setdefault(f"{name} spread", []).append(float(values.std()))
            yield file.record, tile(windows.normalise(features))

    probabilities = np.concatenate([part for _, part in classify(model, inputs())])
    return _Seen({name: np.array(values) for name, values in figures.items()}, probabilities)


def _rejected_share(seen: _Seen) -> float:
    windows = seen.probabilities
    return round(float((windows.max(axis=1) < least_probability(windows.shape[1])).mean()), 4)


def _mixture(seen: _Seen, champion: Bundle) -> dict[str, float]:
    return dict(zip(champion.genres, seen.probabilities.mean(axis=0).tolist(), strict=True))


def _shares(files: Iterable[File]) -> dict[str, float]:
    counts = Counter(file.genre for file in files)
    return {genre: round(count / counts.total(), 4) for genre, count in sorted(counts.items())}


def effect_size(new: NDArray[np.float64], trained: NDArray[np.float64]) -> float:
    """Cohen's d: the difference of two means, in pooled standard deviations.

    Source: J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988, chapter 2.

    Examples
    --------
    >>> effect_size(np.array([3.0, 5.0]), np.array([1.0, 3.0]))
    1.414...
    >>> effect_size(np.array([1.0]), np.array([1.0]))
    0.0
    """
    difference = float(new.mean() - trained.mean())
    squares = float(((new - new.mean()) ** 2).sum() + ((trained - trained.mean()) ** 2).sum())
    freedom = max(len(new) + len(trained) - 2, 1)
    deviation = (squares / freedom) ** 0.5
    # Where no song differs from another, any difference of the means is as large as can be: JSON knows no infinity.
    return 0.0 if abs(difference) < 1e-9 else difference / max(deviation, 1e-6)


def total_variation(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """The total variation distance of two distributions: 0 where they are equal, 1 where they have nothing in common.

    >>> total_variation({"jazz": 0.5, "rock": 0.5}, {"rock": 1.0})
    0.5
    """
    return sum(abs(first.get(name, 0) - second.get(name, 0)) for name in {*first, *second}) / 2


def exceeding(alarms: Alarms, drift: Drift) -> Iterator[str]:
    """What goes beyond the configuration's alarms, a sentence each.

    >>> drift = Drift(since=1, new_songs=40, genre_shares=0.5)
    >>> list(exceeding(Alarms(genre_shares=0.2), drift)), list(exceeding(Alarms(), drift))
    (['genre shares: 0.500, alarm above 0.2'], [])
    """
    largest = max(drift.effect_sizes.items(), key=lambda item: abs(item[1]), default=("", 0.0))
    measured = {
        "effect_size": (abs(largest[1]), f"effect size of {largest[0]}"),
        "genre_shares": (drift.genre_shares, "genre shares"),
        "predicted_mixture": (drift.predicted_mixture, "predicted mixture"),
        "out_of_distribution": (drift.out_of_distribution, "share of new windows out of distribution"),
        "rejects": (sum(drift.rejects.values()), "share of new files rejected"),
    }
    for key, (value, words) in measured.items():
        threshold = getattr(alarms, key)
        is_told = key == "rejects" or drift.new_songs >= alarms.least_songs
        if threshold is not None and value > threshold and is_told:
            yield f"{words}: {value:.3f}, alarm above {threshold:g}"
