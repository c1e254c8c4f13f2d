"""Where in a song the network decided: its saliency over the spectrogram, and its verdict along time."""

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
from model.reports.saliency import saliency
from pipelines.common.output import svg
from pipelines.common.output.svg import Axis, Line
from pipelines.dataset.dataset import Dataset
from pipelines.dataset.records import Record

_MOST_GENRES = 5
_SMOOTHED_S, _SMOOTHED_BINS = 0.1, 3.0
_BRIGHTEST_PERCENT = 98.0
_CURVE_SMOOTHED_S = 0.25

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Decision:
    """A file, what the network said of it, and the picture of why."""

    path: str
    genre: str
    said: str
    probability: float
    chart: Markup


def choose(scores: Sequence[FileScore], genres: Sequence[str]) -> list[tuple[FileScore, FileScore]]:
    """Of each genre the file that is most surely right and the one most surely wrong, of the genres mistaken most.

    Genres whose files are all right, or all wrong, are left out.
    """
    pairs = []
    for genre in genres:
        files = sorted((score for score in scores if score.genre == genre), key=lambda score: score.path)
        right = [score for score in files if predicted_genre(score.probabilities, genres) == genre]
        wrong = [score for score in files if score not in right]
        if right and wrong:
            surest = [max(some, key=lambda score: float(score.probabilities.max())) for some in (right, wrong)]
            pairs.append((len(wrong) / len(files), surest[0], surest[1]))
    pairs.sort(key=lambda pair: -pair[0])
    return [(right, wrong) for _, right, wrong in pairs[:_MOST_GENRES]]


def draw(dataset: Dataset, bundles: Sequence[Bundle], scores: Sequence[FileScore]) -> dict[str, Decision]:
    """The decisions on some files, each by the bundle whose test songs it is among; by song id."""
    of_id = {score.path: score for score in scores}
    fold_of = {song.path: song.fold for song in dataset.ledger() if song.path in of_id}

    @functools.lru_cache(maxsize=1)  # records come fold by fold
    def heard_by(fold: str) -> tuple[Bundle, object]:
        bundle = next(bundle for bundle in bundles if fold in bundle.splits["test"])
        return bundle, bundle.network()

    decisions = {}
    for record in excerpts.read_songs(dataset, of_id):
        bundle, network = heard_by(fold_of[record.id])
        score = of_id[record.id]
        said = int(score.probabilities.argmax())
        windows = bundle.input_windows()
        light, curve = evidence(record, windows, network, said)
        length_s = excerpts.duration_s(record, dataset, windows)
        chart = _chart(score, bundle.genres, record.features[excerpts.drawn_feature(windows)], light, curve, length_s)
        decisions[score.path] = Decision(
            score.path, score.genre, bundle.genres[said], float(score.probabilities[said]), chart
        )
    return decisions


def evidence(record: Record, windows: Windows, network: object, genre: int) -> tuple[Array, Array]:
    """What of a song speaks for a genre.

    Returns
    -------
    light : array, shape (frames, bins)
        Of the drawn feature, from 0 to 1: the root of the smoothed saliency, where it speaks for the genre.
    curve : array, shape (frames,)
        The saliency of all features, added up over their bins, smoothed; -1 to 1, negative where it speaks against it.
    """
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    tiled = {name: np.asarray(values) for name, values in windows.tile(windows.normalise(record.features)).items()}
    maps = saliency(network, tiled, genre)
    name = excerpts.drawn_feature(windows)
    rate_hz = windows.frames[name] / windows.window_s
    frames = len(record.features[name])
    light = gaussian_filter(_laid_out(maps[name], windows, frames), (_SMOOTHED_S * rate_hz, _SMOOTHED_BINS))
    brightest = max(float(np.percentile(light, _BRIGHTEST_PERCENT)), 1e-9)
    sums = sum(_stretched(each.sum(axis=2), windows.frames[name]) for each in maps.values())
    curve = gaussian_filter1d(_laid_out(np.asarray(sums), windows, frames), _CURVE_SMOOTHED_S * rate_hz)
    return np.sqrt(np.clip(light / brightest, 0, 1)), curve / max(float(np.abs(curve).max()), 1e-9)


def _stretched(values: Array, frames: int) -> Array:
    """Windows' values, shape (windows, frames), at another number of frames, their sums kept."""
    own, wanted = np.linspace(0, 1, values.shape[1]), np.linspace(0, 1, frames)
    rows = [np.interp(wanted, own, window) * len(own) / frames for window in values]
    return np.array(rows, np.float32)


def _laid_out(values: Array, windows: Windows, frames: int) -> Array:
    """Windows' values, shape (windows, frames, ...), along the song: where windows overlap, their mean."""
    first, _ = windows.slices_at(np.linspace(0, 1, len(values), dtype=np.float32))(
        excerpts.drawn_feature(windows), frames
    )
    rows = (np.asarray(first)[:, None] + np.arange(values.shape[1])) % frames
    total, count = np.zeros((frames, *values.shape[2:]), np.float32), np.zeros(frames, np.float32)
    np.add.at(total, rows, values)
    np.add.at(count, rows, 1)
    laid: Array = (total.T / np.maximum(count, 1)).T.astype(np.float32)
    return laid


def _chart(
    score: FileScore, genres: Sequence[str], values: Array, light: Array, curve: Array, length_s: float
) -> Markup:
    said = int(score.probabilities.argmax())
    colour = "right" if genres[said] == score.genre else "wrong"
    x, y = svg.x_axis(0.0, length_s), Axis(0, 100, 290, 232, (0, 50, 100))
    lines = [_course(score, said, length_s, colour, genres)]
    if colour == "wrong":
        lines.append(_course(score, genres.index(score.genre), length_s, "right", genres))
    parts = [
        svg.legend(lines),
        f'<image href="{excerpts.picture(values, light=light)}" x="{x.begin}" y="24" width="{x.end - x.begin}"'
        ' height="130" preserveAspectRatio="none"/>',
        _weights(excerpts.columns(curve), x, colour),
        svg.grid(x, y, " %"),
        *(svg.draw_line(line, x, y) for line in reversed(lines)),
        svg.ticks_below(x, y.begin + 4, "seconds"),
    ]
    return svg.svg(
        f"Where {genres[said]} was heard in {score.path}",
        f"The spectrogram, in colour where it speaks for {genres[said]}; how much each moment speaks for or against it;"
        f" and the probability of {' and of '.join(line.label for line in lines)} window by window.",
        y.begin + 38,
        parts,
    )


def _course(score: FileScore, genre: int, length_s: float, colour: str, genres: Sequence[str]) -> Line:
    """A genre's probability in percent, a step a window."""
    edges = np.linspace(0, length_s, len(score.window_probabilities) + 1).repeat(2)[1:-1]
    steps = (100 * score.window_probabilities[:, genre]).repeat(2)
    return Line(list(zip(edges.tolist(), steps.tolist(), strict=True)), colour, genres[genre])


def _weights(curve: Array, x: Axis, colour: str) -> str:
    """How much each moment speaks for the genre, upwards, or against it, downwards."""
    y = Axis(-1, 1, 206, 162, ())
    sides = "".join(
        f'<text x="{x.begin - 6}" y="{y(middle) + 4}" text-anchor="end">{side}</text>'
        for side, middle in (("for", 0.5), ("against", -0.5))
    )
    return sides + svg.area(np.maximum(curve, 0), x, y, colour) + svg.area(np.minimum(curve, 0), x, y, "muted")
