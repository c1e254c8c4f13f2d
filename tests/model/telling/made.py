"""Outcomes of retrainings that never were."""

from model.retraining.comparison import Comparison, GenreAccuracy, Judged, Paired
from model.retraining.drift import Drift
from model.retraining.outcome import RunOutcome
from model.retraining.verdict import Rule, Verdict

AT = "2026-11-27T12:00:00+00:00"
AT_S = 1795780800.0
PLACES = {"registry": "s3://music/registry", "dataset": "s3://music/dataset", "ended": AT}


def judged(bundle, accuracy, **more):
    genres = {"drum & bass": GenreAccuracy(songs=30, accuracy=accuracy), "jazz": GenreAccuracy(songs=10, accuracy=1.0)}
    return Judged(
        bundle=bundle,
        song_accuracy=accuracy,
        interval=(accuracy - 0.1, accuracy + 0.1),
        per_genre=genres,
        calibration_error=0.05,
        log_loss=0.7,
        **more,
    )


def promoted(**changes):
    """A run that promoted a challenger, with all that a run can tell."""
    comparison = Comparison(
        songs=40,
        groups=38,
        test_songs=50,
        seen=8,
        unknown_genre=2,
        genres=("drum & bass", "jazz"),
        challenger=judged("000002-bbbbbbbbbbbb", 0.75, tempos={"0.8": 0.7}, training_seconds=60.0),
        champion=judged("000001-aaaaaaaaaaaa", 0.5),
        paired=Paired(gain=0.25, interval=(0.1, 0.4), only_champion=2, only_challenger=12, p_value=0.0129),
    )
    verdict = Verdict(
        promote=True,
        rules=(Rule(name="least_gain", holds=True, says="25.0 % more songs right, at least 1.0 % is asked"),),
        comparison=comparison,
    )
    drift = Drift(
        since=1,
        new_songs=12,
        effect_sizes={"log_mel level": 1.5},
        genre_shares=0.25,
        rejects={"silent": 0.5},
        alarms=("log_mel level: effect size 1.5, at most 0.8 is allowed",),
    )
    values = {
        "what": "promoted",
        "message": "000002-bbbbbbbbbbbb is the champion: 25.0 % more songs right",
        "run": "000002-cccccccccccc",
        "dataset_version": 2,
        "challenger": "000002-bbbbbbbbbbbb",
        "champion": "000002-bbbbbbbbbbbb",
        "verdict": verdict,
        "drift": drift,
        "songs": {"shown": 60, "written": 58, "rejected": 2},
        "seconds": {"build": 1.5, "train": 60.0},
        "sizes": {"bundle": 1000},
    }
    return RunOutcome(**PLACES | values | changes)


def failed(**changes):
    """A run that an error ended at once."""
    return RunOutcome(**PLACES | {"what": "failed", "message": "s3://music: refused"} | changes)
