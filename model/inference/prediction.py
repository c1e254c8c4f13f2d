"""A prediction: what a bundle says about the genres of a file.

The fields of `Prediction` are the columns of each output. CSV, Parquet, JSON, the page and their documentation are made
from this class (`model.inference.columns`, `model.reports.prediction_tables`, `model.reports.prediction_page`), so a
new column is a new field here, set in `model.inference.predictor`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from pipelines.common.section import Section
from pipelines.dataset.unknown import unread_in_words

PREDICTED, REJECTED = "predicted", "rejected"

NO_GENRE = "none"
"""What a window of no genre is called in a timeline."""

REJECTED_WEIGHT = 0.001
"""By which a window's probabilities still differ from uniform ones when it is rejected as out of distribution."""


def format_time(seconds: float) -> str:
    """Minutes and seconds.

    Examples
    --------
    >>> format_time(125.8)
    '2:05'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def format_percent(share: float) -> str:
    """A share in whole percent, with a no-break space."""
    return f"{100 * share:.0f}\u00a0%"


def most_probable(probabilities: Mapping[str, float]) -> str:
    """The most probable genre.

    Examples
    --------
    >>> most_probable({"jazz": 0.2, "pop": 0.7, "rock": 0.1})
    'pop'
    """
    return max(probabilities, key=lambda genre: probabilities[genre])


def least_probability(genres: int) -> float:
    """What the most probable of so many genres has at least in a window that was not rejected as out of distribution.

    Examples
    --------
    >>> least_probability(8)
    0.127
    """
    return 1 / genres + 2 * REJECTED_WEIGHT


@dataclass(frozen=True)
class OnPage:
    """Metadata of a field that has a column in the page's table of songs.

    Attributes
    ----------
    heading : str
    show : callable
        The value as text; a column of None is left blank.
    """

    heading: str
    show: Callable[[Any], str] = str


class TimelinePoint(Section):
    """A window of a song, with its distribution over genres."""

    start_s: float = Field(description="Where the window begins, in seconds.")
    probabilities: dict[str, float] = Field(
        description="The model's probabilities for the window, uncalibrated, by genre."
    )

    @property
    def genre(self) -> str:
        """The most probable genre; `none` where all are as probable, as those of a window that was rejected as out of
        distribution.

        Examples
        --------
        >>> TimelinePoint(start_s=0, probabilities={"jazz": 0.5, "rock": 0.5}).genre
        'none'
        """
        genre = most_probable(self.probabilities)
        return genre if self.probabilities[genre] >= least_probability(len(self.probabilities)) else NO_GENRE

    def __str__(self) -> str:
        """The point as a cell of a CSV file shows it."""
        return f"{self.start_s:g} {self.genre}"


class Prediction(Section):
    """What a bundle says about the genres of a file; one row of every output."""

    path: Annotated[str, OnPage("song")] = Field(description="The file, as a path or URL.")
    status: str = Field(
        default=PREDICTED, description="`predicted`, or `rejected` where the file could not be classified."
    )
    genre: Annotated[str, OnPage("genre")] = Field(default="", description="The most probable genre.")
    probability: Annotated[float, OnPage("probability", format_percent)] = Field(
        default=0.0, description="The probability of that genre, calibrated."
    )
    is_confident: bool = Field(
        default=False,
        description="Whether the probability reaches the bundle's confidence threshold; below it confidence is low.",
    )
    duration_s: Annotated[float, OnPage("duration", format_time)] = Field(
        default=0.0, description="The decoded audio's duration in seconds."
    )
    unread_s: float = Field(
        default=0.0,
        description="How many seconds of the file were not read: what lies beyond `audio.max_duration_s`, and what is"
        " damaged, as far as the file tells how long it is.",
    )
    year: Annotated[int | None, OnPage("year")] = Field(
        default=None, description="The year from the manifest, else from the file's tags; empty where neither has one."
    )
    reason: str = Field(
        default="", description="Of a rejected file: why, as one of the reject reasons of a dataset's ledger."
    )
    error: str = Field(default="", description="Of a rejected file: what was found, and what was expected.")
    probabilities: Annotated[dict[str, float], OnPage("mixture")] = Field(
        default_factory=dict,
        description="The song's distribution over genres: the mean of its windows', at the bundle's temperature.",
    )
    timeline: tuple[TimelinePoint, ...] = Field(
        default=(), description="The song's windows from its beginning to its end, with uncalibrated probabilities."
    )


def unread(predictions: Iterable[Prediction]) -> str:
    """How many seconds of files were not read, in a line; empty where all of them were.

    >>> unread([Prediction(path="a.wav", unread_s=60.5), Prediction(path="b.wav")])
    '60 s of 1 file were not read'
    """
    seconds = [prediction.unread_s for prediction in predictions if prediction.unread_s]
    return unread_in_words(len(seconds), sum(seconds)) if seconds else ""


def genre_changes(timeline: Sequence[TimelinePoint]) -> str:
    """Where along a song the most probable genre changes, and to which.

    Examples
    --------
    >>> jazz, rock = {"jazz": 0.8, "rock": 0.2}, {"jazz": 0.4, "rock": 0.6}
    >>> points = [TimelinePoint(start_s=30 * n, probabilities=p) for n, p in enumerate([jazz, jazz, rock])]
    >>> genre_changes(points)
    '0:00 jazz, 1:00 rock'
    """
    changes = [
        now for before, now in zip([None, *timeline], timeline, strict=False) if not before or before.genre != now.genre
    ]
    return ", ".join(f"{format_time(point.start_s)} {point.genre}" for point in changes)
