"""The genre that each genre is most often confused with, shown in the seconds where the network is most certain."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model.inference.scores import FileScore, by_song, predicted_genre
from model.networks.windows import Windows
from model.reports import excerpts
from pipelines.dataset.dataset import Dataset

EXCERPT_S = 3.0
MOST_GENRES = 12


@dataclass(frozen=True)
class ScoredWindow:
    """The window of a song in which the network is most certain of its prediction.

    Attributes
    ----------
    path : str
        The file that the window is in.
    genre, predicted : str
        The song's own genre, and the one predicted.
    window, windows : int
        The window's index, and how many the file has.
    probability : float
    """

    path: str
    genre: str
    predicted: str
    window: int
    windows: int
    probability: float


@dataclass(frozen=True)
class Confusion:
    """A genre, and the one that it is most often confused with.

    Attributes
    ----------
    genre, predicted : str
    count, songs : int
        In how many of the genre's songs.
    wrong : ScoredWindow
        Of the misclassified song whose prediction is the most certain.
    correct : ScoredWindow or None
        Of the song of the other genre that is correctly classified with the most certainty, if there is one.
    """

    genre: str
    predicted: str
    count: int
    songs: int
    wrong: ScoredWindow
    correct: ScoredWindow | None


@dataclass(frozen=True)
class Excerpt:
    """A few seconds of a song: where they begin, their picture's address, and whether there is nothing to see."""

    begin_s: float
    picture: str
    is_silent: bool


def find_confusions(scores: Sequence[FileScore], genres: Sequence[str]) -> list[Confusion]:
    """For each genre with misclassified songs, the genre that they are most often classified as.

    Parameters
    ----------
    scores : sequence of FileScore
    genres : sequence of str

    Returns
    -------
    list of Confusion
        The genres with the largest share of such songs first.

    Examples
    --------
    >>> import numpy as np
    >>> def score(path, genre, *windows):
    ...     return FileScore(path, genre, path, path, np.array(windows, np.float32))
    >>> scores = [score("a.mp3", "jazz", [0.2, 0.8], [0.1, 0.9]), score("b.mp3", "jazz", [0.7, 0.3]),
    ...           score("c.mp3", "rock", [0.4, 0.6])]
    >>> [confusion] = find_confusions(scores, ["jazz", "rock"])
    >>> confusion.genre, confusion.predicted, confusion.count, confusion.songs
    ('jazz', 'rock', 1, 2)
    >>> confusion.wrong.path, confusion.wrong.window, confusion.correct.path
    ('a.mp3', 1, 'c.mp3')
    """
    songs = by_song(scores)
    predicted_of = {(song.song, song.genre): predicted_genre(song.probabilities, genres) for song in songs}
    pairs = Counter((genre, predicted) for (_, genre), predicted in predicted_of.items())
    totals = Counter(genre for _, genre in predicted_of)

    def most_certain(genre: str, predicted: str) -> ScoredWindow | None:
        index = genres.index(predicted)
        among = [song for song in songs if song.genre == genre and predicted_of[song.song, genre] == predicted]
        if not among:
            return None
        song = max(among, key=lambda song: float(song.probabilities[index]))
        files = [score for score in scores if (score.song, score.genre) == (song.song, genre)]
        return _peak(files, genre, predicted, index)

    confusions = []
    for genre in genres:
        others = [other for other in genres if other != genre and pairs[genre, other]]
        if others:
            other = max(others, key=lambda name: pairs[genre, name])
            wrong = most_certain(genre, other)
            assert wrong is not None  # the pair was counted
            correct = most_certain(other, other)
            confusions.append(Confusion(genre, other, pairs[genre, other], totals[genre], wrong, correct))
    return sorted(confusions, key=lambda each: (-each.count / each.songs, each.genre))


def _peak(files: Sequence[FileScore], genre: str, predicted: str, index: int) -> ScoredWindow:
    """The window of a song's files in which a genre is the most probable."""
    file = max(files, key=lambda score: float(score.window_probabilities[:, index].max()))
    probabilities = file.window_probabilities[:, index]
    window = int(probabilities.argmax())
    return ScoredWindow(file.path, genre, predicted, window, len(probabilities), float(probabilities[window]))


def draw_excerpts(
    dataset: Dataset, windows: Windows, confusions: Iterable[Confusion]
) -> Mapping[ScoredWindow, Excerpt]:
    """The excerpt around the middle of each window of some confusions."""
    scored = {window for each in confusions for window in (each.wrong, each.correct) if window}
    name = excerpts.drawn_feature(windows)
    rate_hz = dataset.features[name].frame_rate_hz
    drawn = {}
    for file, record in excerpts.read_songs(dataset, {window.path for window in scored}):
        values, duration_s = record.features[name], excerpts.duration_s(record, dataset, windows)
        for window in scored:
            if window.path == file.path:
                start_s = windows.starts_s(window.windows, duration_s)[window.window]
                start_s += (windows.window_s - EXCERPT_S) / 2
                begin_s = max(0.0, min(start_s, duration_s - EXCERPT_S))
                rows = slice(round(begin_s * rate_hz), round((begin_s + EXCERPT_S) * rate_hz))
                drawn[window] = Excerpt(begin_s, excerpts.picture(values, rows), excerpts.is_silent(values[rows]))
    return drawn
