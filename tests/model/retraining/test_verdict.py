import pytest
from pydantic import ValidationError

from model.config import Config, Promotion
from model.retraining.comparison import Comparison, judge
from tests.model.retraining.made import GENRES, LEAK, POLICY, decided, policy, scores

MOST, FEW = range(8), range(5)
GOOD, FAIR = scores(jazz=range(9), polka=range(9), rock=range(9)), scores(jazz=range(7), polka=range(7), rock=range(7))


def failing(verdict):
    return [rule.name for rule in verdict.rules if not rule.holds]


def test_a_better_challenger_is_promoted():
    verdict = decided(GOOD, FAIR)
    assert verdict.promote and failing(verdict) == [] and verdict.reasons == ()
    assert verdict.summary.startswith("90.0% of 30 protected test songs right (")
    assert "the champion 70.0%; gain +20.0%" in verdict.summary


def test_a_worse_challenger_is_kept_out():
    verdict = decided(FAIR, GOOD)
    assert not verdict.promote and failing(verdict) == ["least_gain", "largest_loss"]
    assert verdict.reasons[0] == "gain -20.0% (champion 90.0%), 1.0% at least"


def test_as_good_is_not_better_unless_the_policy_says_so():
    assert failing(decided(GOOD, GOOD)) == ["least_gain"]
    assert decided(GOOD, GOOD, rules={"least_gain": 0}).promote


def test_better_in_total_and_ruinous_for_one_genre_is_kept_out():
    champion, challenger = scores(jazz=FEW, polka=FEW, rock=MOST), scores(jazz=range(10), polka=range(10), rock=FEW)
    verdict = decided(challenger, champion)
    assert verdict.comparison.paired.gain > 0 and failing(verdict) == ["largest_genre_loss"]
    assert "rock 80.0% to 50.0% of 10" in verdict.summary


def test_a_genre_below_its_floor_is_named():
    verdict = decided(scores(jazz=range(10), polka=range(10), rock=range(1)))
    assert failing(verdict) == ["least_genre_accuracy"] and "rock 10.0% of 10" in verdict.summary


def test_a_gain_that_may_as_well_be_a_loss_is_kept_out():
    # Each has songs right that the other has not: seven and six of thirty.
    champion = scores(jazz=range(3, 10), polka=range(3, 10), rock=range(10))
    challenger = scores(jazz=range(7), polka=range(7), rock=range(10))
    lucky = scores(jazz=range(8), polka=range(7), rock=range(10))
    assert failing(decided(challenger, champion, rules={"least_gain": 0})) == ["largest_loss"]
    assert failing(decided(lucky, champion)) == ["largest_loss"]
    assert decided(lucky, champion, rules={"largest_loss": 0.3}).promote


def test_the_first_champion_must_pass_the_absolute_floors():
    assert decided(GOOD).promote and decided(GOOD).summary.startswith("the first champion, 90.0% of 30")
    verdict = decided(GOOD, rules={"least_accuracy": 0.95})
    assert failing(verdict) == ["least_accuracy"] and "95.0% at least" in verdict.summary


def test_too_few_protected_songs_are_no_promotion():
    verdict = decided(GOOD, FAIR, rules={"least_songs": 31})
    assert failing(verdict) == ["least_songs"]
    assert verdict.summary == "too few to tell: 30 protected test songs, expected 31 at least"


def test_no_song_left_is_no_promotion():
    empty = Comparison(
        songs=0, groups=0, test_songs=9, seen=9, unknown_genre=0, genres=GENRES, challenger=None, not_judged="none left"
    )
    verdict = decided(GOOD, **empty.model_dump())
    assert failing(verdict) == ["comparison", "least_songs"]


def test_a_champion_that_cannot_be_judged_stays():
    verdict = decided(GOOD, not_judged="the champion was trained on another dataset")
    assert failing(verdict) == ["comparison"] and verdict.summary == "the champion was trained on another dataset"


def test_a_leaky_dataset_is_no_promotion_unless_the_policy_lets_it_pass():
    assert failing(decided(GOOD, FAIR, audited=LEAK)) == ["audit_required"]
    verdict = decided(GOOD, FAIR, audited=LEAK, rules={"audit_required": False})
    assert verdict.promote and "lets pass: 2 pairs leak" in verdict.notes[-1]


def test_a_miscalibrated_challenger_is_kept_out():
    assert failing(decided(GOOD, rules={"largest_calibration_error": 0.1})) == ["largest_calibration_error"]


@pytest.mark.parametrize(
    ("tempos", "holds"), [({"0.8": 0.85, "1": 0.9}, True), ({"0.8": 0.7, "1": 0.9}, False), ({}, False)]
)
def test_tempo_is_judged_where_the_policy_says_so(tempos, holds):
    own = decided(GOOD).comparison.challenger.model_copy(update={"tempos": tempos})
    verdict = decided(GOOD, rules={"largest_tempo_loss": 0.1}, challenger=own)
    assert verdict.promote == holds


def test_genres_with_few_songs_are_not_judged_alone_and_named():
    champion, challenger = scores(jazz=FEW, polka=FEW, rock=MOST), scores(jazz=range(10), polka=range(10), rock=FEW)
    verdict = decided(challenger, champion, rules={"least_genre_songs": 11})
    assert verdict.promote and verdict.notes == (
        "not judged alone, for want of 11 protected test songs: jazz, polka, rock",
    )


def test_a_genre_that_the_champion_does_not_know_has_its_floor_too():
    ruinous = judge("000002-222222222222", scores(jazz=range(10), polka=range(10), rock=range(1)), GENRES)
    verdict = decided(GOOD, FAIR, alone=ruinous, other_genres=("rock",))
    assert failing(verdict) == ["least_genre_accuracy"] and "rock 10.0% of 10" in verdict.summary


def test_what_was_left_out_is_said():
    verdict = decided(GOOD, FAIR, test_songs=40, seen=7, unknown_genre=3, other_genres=("ska",))
    assert verdict.notes == (
        "compared among the 3 genres that both know, without ska",
        "7 of 40 test files left out, as they share samples or a group with what either was trained on",
        "3 of 40 test files left out, as not both know their genre",
    )


@pytest.mark.parametrize("name", POLICY)
def test_a_missing_threshold_is_an_error(name):
    with pytest.raises(ValidationError, match=name):
        Promotion.model_validate({key: value for key, value in POLICY.items() if key != name})


def test_a_configuration_without_a_policy_has_none():
    assert Config().promotion is None and Config().retraining is None
    assert Config.model_validate({"promotion": POLICY}).promotion == policy()
