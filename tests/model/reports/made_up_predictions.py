"""Predictions made by hand."""

from model.inference.prediction import REJECTED, Prediction, TimelinePoint

GENRES = ("techno", "metal", "ambient")


def song(path, shares, year=None, duration_s=65.0, windows=4, genres=GENRES, is_confident=True):
    """A song of a mixture; of its windows each third has the first two genres changed over."""
    mixture, other = (dict(zip(genres, each, strict=True)) for each in (shares, [shares[1], shares[0], *shares[2:]]))
    step_s = (duration_s - 5) / windows
    return Prediction(
        path=path,
        genre=max(mixture, key=mixture.get),
        probability=max(shares),
        is_confident=is_confident,
        probabilities=mixture,
        timeline=tuple(
            TimelinePoint(start_s=step_s * number, probabilities=other if number % 3 == 2 else mixture)
            for number in range(windows)
        ),
        duration_s=duration_s,
        year=year,
    )


def rejected(path):
    return Prediction(path=path, status=REJECTED, reason="not_audio", error="a text")
