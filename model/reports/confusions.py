"""What each genre is most mistaken for, in the seconds in which the network was surest of it."""

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
class Moment:
    """The window of a song in which its network was surest of what it said.

    Attributes
    ----------
    path : str
        The file that the window is in.
    genre, said : str
        The song's own genre, and what the network said.
    window, windows : int
        Which of how many of the file's.
    probability : float
    """

    path: str
    genre: str
    said: str
    window: int
    windows: int
    probability: float


@dataclass(frozen=True)
class Mistaken:
    """A genre and the one it is most mistaken for.

    Attributes
    ----------
    genre, said : str
    count, songs : int
        How many of how many songs of the genre.
    wrong : Moment
        Of the song of which the network was surest.
    right : Moment or None
        Of the rightly known song of the other genre of which it was surest, if there is one.
    """

    genre: str
    said: str
    count: int
    songs: int
    wrong: Moment
    right: Moment | None


@dataclass(frozen=True)
class Excerpt:
    """Three seconds of a moment: when they begin, their picture's address, and whether there is nothing to see."""

    begin_s: float
    picture: str
    is_silent: bool


def mistaken(scores: Sequence[FileScore], genres: Sequence[str]) -> list[Mistaken]:
    """Each genre that was mistaken with what it was called most often, those mistaken most first."""
    songs = by_song(scores)
    said_of = {(song.song, song.genre): predicted_genre(song.probabilities, genres) for song in songs}
    pairs = Counter((genre, said) for (_, genre), said in said_of.items())
    totals = Counter(genre for _, genre in said_of)

    def surest(genre: str, said: str) -> Moment | None:
        index = genres.index(said)
        among = [song for song in songs if song.genre == genre and said_of[song.song, genre] == said]
        if not among:
            return None
        song = max(among, key=lambda song: float(song.probabilities[index]))
        files = [score for score in scores if (score.song, score.genre) == (song.song, genre)]
        file = max(files, key=lambda score: float(score.window_probabilities[:, index].max()))
        window = int(file.window_probabilities[:, index].argmax())
        return Moment(
            file.path,
            genre,
            said,
            window,
            len(file.window_probabilities),
            float(file.window_probabilities[window, index]),
        )

    found = []
    for genre in genres:
        wrong = [said for said in genres if said != genre and pairs[genre, said]]
        if wrong:
            said = max(wrong, key=lambda name: pairs[genre, name])
            moment = surest(genre, said)
            assert moment is not None  # the pair was counted
            found.append(Mistaken(genre, said, pairs[genre, said], totals[genre], moment, surest(said, said)))
    return sorted(found, key=lambda each: (-each.count / each.songs, each.genre))


def draw(dataset: Dataset, windows: Windows, cases: Iterable[Mistaken]) -> Mapping[Moment, Excerpt]:
    """The excerpts of some cases' moments."""
    moments = {moment for case in cases for moment in (case.wrong, case.right) if moment}
    name = excerpts.drawn_feature(windows)
    rate_hz = dataset.features[name].frame_rate_hz
    drawn = {}
    for record in excerpts.read_songs(dataset, {moment.path for moment in moments}):
        values, duration_s = record.features[name], excerpts.duration_s(record, dataset, windows)
        for moment in moments:
            if moment.path == record.id:
                start_s = windows.starts_s(moment.windows, duration_s)[moment.window]
                start_s += (windows.window_s - EXCERPT_S) / 2
                begin_s = max(0.0, min(start_s, duration_s - EXCERPT_S))
                rows = slice(round(begin_s * rate_hz), round((begin_s + EXCERPT_S) * rate_hz))
                drawn[moment] = Excerpt(begin_s, excerpts.picture(values, rows), excerpts.is_silent(values[rows]))
    return drawn
