"""Attributions: which parts of a song the predicted genre rests on, over the spectrogram and along time."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from model.inference.bundle import Bundle
from model.inference.scores import FileScore, predicted_genre
from model.networks.windows import Windows
from model.reports import excerpts
from model.reports.saliency import IntegratedGradients
from pipelines.common.output import svg
from pipelines.common.output.progress import Progress
from pipelines.common.output.svg import Axis, Line
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.records import Record

_MOST_GENRES = 5
_SMOOTHED_S, _SMOOTHED_BINS = 0.1, 3.0
_BRIGHTEST_PERCENT = 98.0
_CURVE_SMOOTHED_S = 0.25


@dataclass(frozen=True)
class Attribution:
    """A file, its predicted genre with its probability, and the chart of what the prediction rests on."""

    path: str
    genre: str
    predicted: str
    probability: float
    chart: Markup


def choose(scores: Sequence[FileScore], genres: Sequence[str]) -> list[tuple[FileScore, FileScore]]:
    """The most certain correct and the most certain wrong file of the genres with the largest share of wrong files.

    Genres whose files are all correct, or all wrong, are left out.
    """
    pairs = []
    for genre in genres:
        files = sorted((score for score in scores if score.genre == genre), key=lambda score: score.path)
        correct = [score for score in files if predicted_genre(score.probabilities, genres) == genre]
        wrong = [score for score in files if predicted_genre(score.probabilities, genres) != genre]
        if correct and wrong:
            best, worst = (max(some, key=lambda score: float(score.probabilities.max())) for some in (correct, wrong))
            pairs.append((len(wrong) / len(files), best, worst))
    pairs.sort(key=lambda pair: -pair[0])
    return [(best, worst) for _, best, worst in pairs[:_MOST_GENRES]]


def draw_attributions(
    dataset: Dataset, bundles: Sequence[Bundle], scores: Sequence[FileScore]
) -> dict[str, Attribution]:
    """The attributions of some files, each by the bundle whose test songs it is among; by path."""
    score_of = {score.path: score for score in scores}

    @functools.lru_cache(maxsize=1)  # records come fold by fold
    def tested_on(fold: str) -> tuple[Bundle, IntegratedGradients]:
        bundle = next((bundle for bundle in bundles if fold in bundle.splits["test"]), bundles[0])
        return bundle, IntegratedGradients(bundle.network())

    attributions: dict[str, Attribution] = {}
    with Progress("Draw attributions", len(score_of), lambda: len(attributions)):
        for file, record in excerpts.read_songs(dataset, score_of):
            bundle, gradients = tested_on(file.fold)
            score = score_of[file.path]
            predicted = predicted_genre(score.probabilities, bundle.genres)
            windows = bundle.input_windows()
            heatmap, curve = attribute(record, windows, gradients, bundle.genres.index(predicted))
            length_s = excerpts.duration_s(record, dataset, windows)
            values = record.features[excerpts.drawn_feature(windows)]
            chart = _chart(score, bundle.genres, values, heatmap, curve, length_s)
            attributions[score.path] = Attribution(
                score.path, score.genre, predicted, float(score.probabilities.max()), chart
            )
    return attributions


def attribute(
    record: Record, windows: Windows, gradients: IntegratedGradients, genre: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What in a song speaks for a genre.

    Returns
    -------
    heatmap : array, shape (frames, bins)
        Over the drawn feature, from 0 to 1: the square root of the smoothed attributions, where they are positive.
    curve : array, shape (frames,)
        The attributions summed over all features and bins, smoothed; from -1 to 1, negative where they speak against
        the genre.
    """
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    tiled = {name: np.asarray(values) for name, values in windows.tile(windows.normalise(record.features)).items()}
    maps = gradients(tiled, genre)
    name = excerpts.drawn_feature(windows)
    rate_hz = windows.frames[name] / windows.window_s
    frames = len(record.features[name])
    smooth = gaussian_filter(_overlap_mean(maps[name], windows, frames), (_SMOOTHED_S * rate_hz, _SMOOTHED_BINS))
    brightest = max(float(np.percentile(smooth, _BRIGHTEST_PERCENT)), 1e-9)
    sums = sum(_resampled(each.sum(axis=2), windows.frames[name]) for each in maps.values())
    curve = gaussian_filter1d(_overlap_mean(np.asarray(sums), windows, frames), _CURVE_SMOOTHED_S * rate_hz)
    return np.sqrt(np.clip(smooth / brightest, 0, 1)), curve / max(float(np.abs(curve).max()), 1e-9)


def _resampled(values: NDArray[np.float32], frames: int) -> NDArray[np.float32]:
    """Windows' values, shape (windows, frames), at another number of frames, their sums kept."""
    own, wanted = np.linspace(0, 1, values.shape[1]), np.linspace(0, 1, frames)
    rows = [np.interp(wanted, own, window) * len(own) / frames for window in values]
    return np.array(rows, np.float32)


def _overlap_mean(values: NDArray[np.float32], windows: Windows, frames: int) -> NDArray[np.float32]:
    """Windows' values, shape (windows, frames, ...), along the song: their mean where windows overlap."""
    first, _ = windows.slices_at(np.linspace(0, 1, len(values), dtype=np.float32))(
        excerpts.drawn_feature(windows), frames
    )
    rows = (np.asarray(first)[:, None] + np.arange(values.shape[1])) % frames
    total, count = np.zeros((frames, *values.shape[2:]), np.float32), np.zeros(frames, np.float32)
    np.add.at(total, rows, values)
    np.add.at(count, rows, 1)
    mean: NDArray[np.float32] = (total.T / np.maximum(count, 1)).T.astype(np.float32)
    return mean


def _chart(
    score: FileScore,
    genres: Sequence[str],
    values: NDArray[np.float32],
    heatmap: NDArray[np.float32],
    curve: NDArray[np.float32],
    length_s: float,
) -> Markup:
    predicted = predicted_genre(score.probabilities, genres)
    colour = "right" if predicted == score.genre else "wrong"
    x, y = svg.x_axis(0.0, length_s), Axis(0, 100, 290, 232, (0, 50, 100))
    lines = [_probability_line(score, genres.index(predicted), length_s, colour, genres)]
    if colour == "wrong":
        lines.append(_probability_line(score, genres.index(score.genre), length_s, "right", genres))
    parts = [
        svg.legend(lines),
        f'<image href="{excerpts.picture(values, light=heatmap)}" x="{x.begin}" y="24" width="{x.end - x.begin}"'
        ' height="130" preserveAspectRatio="none"/>',
        _draw_curve(excerpts.columns(curve), x, colour),
        svg.grid(x, y, " %"),
        *(svg.draw_line(line, x, y) for line in reversed(lines)),
        svg.ticks_below(x, y.begin + 4, "seconds"),
    ]
    return svg.svg(
        f"What the prediction of {predicted} for {score.path} rests on",
        f"The spectrogram, in colour where it speaks for {predicted}; how much each moment speaks for or"
        f" against it; and the probability of {' and of '.join(line.label for line in lines)} window by window.",
        y.begin + 38,
        parts,
    )


def _probability_line(score: FileScore, genre: int, length_s: float, colour: str, genres: Sequence[str]) -> Line:
    """A genre's probability in percent, as a step for each window."""
    edges = np.linspace(0, length_s, len(score.window_probabilities) + 1).repeat(2)[1:-1]
    steps = (100 * score.window_probabilities[:, genre]).repeat(2)
    return Line(list(zip(edges.tolist(), steps.tolist(), strict=True)), colour, genres[genre])


def _draw_curve(curve: NDArray[np.float32], x: Axis, colour: str) -> str:
    """How much each moment speaks for the genre, upwards, or against it, downwards."""
    y = Axis(-1, 1, 206, 162)
    sides = "".join(
        f'<text x="{x.begin - 6}" y="{y(middle) + 4}" text-anchor="end">{side}</text>'
        for side, middle in (("for", 0.5), ("against", -0.5))
    )
    return sides + svg.area(np.maximum(curve, 0), x, y, colour) + svg.area(np.minimum(curve, 0), x, y, "muted")
