"""Made-up scores, comparisons, verdicts and registries."""

import numpy as np

from model.config import Promotion
from model.inference.scores import FileScore
from model.retraining import journal, registry
from model.retraining.comparison import Comparison, judge, pair
from model.retraining.journal import Entry
from model.retraining.verdict import Audited, decide

GENRES = ("jazz", "polka", "rock")
POLICY = {
    "least_songs": 20,
    "least_accuracy": 0.5,
    "least_genre_accuracy": 0.2,
    "least_genre_songs": 5,
    "least_gain": 0.01,
    "largest_loss": 0.05,
    "largest_genre_loss": 0.2,
    "largest_calibration_error": 0.5,
    "largest_tempo_loss": None,
    "audit_required": True,
}
NO_LEAK, LEAK = Audited(fails=False, conclusion="no leak found"), Audited(fails=True, conclusion="2 pairs leak")


def policy(**changed):
    return Promotion.model_validate(POLICY | changed)


def scores(**right):
    """Scores of ten songs a genre, each a group of its own; of each genre the given ones are right."""
    found = []
    for index, genre in enumerate(GENRES):
        for number in range(10):
            row = np.full(3, 0.2, np.float32)
            row[index if number in right[genre] else (index + 1) % 3] = 0.6
            name = f"{genre}-{number}"
            found.append(FileScore(name, genre, name, name, row[None]))
    return found


def comparison(challenger, champion=None, /, **changed):
    """The comparison of scores; `changed` are fields of `Comparison`."""
    fields = {
        "songs": len(challenger),
        "groups": len({score.group for score in challenger}),
        "test_songs": len(challenger),
        "seen": 0,
        "unknown_genre": 0,
        "genres": GENRES,
        "challenger": judge("000002-222222222222", challenger, GENRES),
        "champion": judge("000001-111111111111", champion, GENRES) if champion else None,
        "paired": pair(champion, challenger, GENRES) if champion else None,
    }
    return Comparison(**fields | changed)


def decided(challenger, champion=None, /, audited=NO_LEAK, rules=None, **changed):
    return decide(policy(**rules or {}), comparison(challenger, champion, **changed), audited)


def verdict_entry(bundle, champion, verdict=None, run=""):
    return Entry(
        number=0,
        kind="verdict",
        bundle=bundle,
        champion=champion,
        reason=verdict.summary if verdict else "made up",
        at="2026-11-01T00:00:00+00:00",
        by="somebody on a host",
        run=run or f"run-{bundle}",
        dataset_version=int(bundle[:6]),
        songs=30,
        verdict=verdict,
    )


def add_entry(url, entry):
    journal.append(url, lambda _: entry)
    registry.mend(url)
