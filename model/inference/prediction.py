"""A prediction: what a bundle says of a file."""

from collections.abc import Sequence

import pydantic

from pipelines.common.section import Section

PREDICTED, REJECTED = "predicted", "rejected"


class Moment(Section):
    """A window of a song: when it begins, and its distribution over genres."""

    start_s: float
    probabilities: dict[str, float]

    @property
    def genre(self) -> str:
        """The likeliest genre."""
        return max(self.probabilities, key=lambda genre: self.probabilities[genre])


class Prediction(Section):
    """What a bundle says of a file.

    Attributes
    ----------
    path : str
    status : 'predicted' or 'rejected'
    genre : str
        The likeliest, and its `probability`.
    is_confident : bool
        Whether it is so probable that it is to be said, see `model.inference.calibration.Calibration`.
    probabilities : dict
        The song's distribution over genres: the mean of its windows', at the bundle's temperature.
    course : tuple of Moment
        The song from its beginning to its end; of each window the network's own probabilities.
    duration_s : float
    year : int
        As a manifest or the file's tags say; None where neither does.
    reason, error : str
        Of a rejected file, as in a dataset's ledger.
    """

    path: str
    status: str = PREDICTED
    genre: str = ""
    probability: float = 0.0
    is_confident: bool = False
    probabilities: dict[str, float] = pydantic.Field(default_factory=dict)
    course: tuple[Moment, ...] = ()
    duration_s: float = 0.0
    year: int | None = None
    reason: str = ""
    error: str = ""


def turns(course: Sequence[Moment]) -> str:
    """A song's course in words: when its likeliest genre changes, and to which."""
    changes = [
        now for before, now in zip([None, *course], course, strict=False) if not before or before.genre != now.genre
    ]
    return ", ".join(f"{clock(moment.start_s)} {moment.genre}" for moment in changes)


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
