"""The verdict on a challenger: a pure function of the configuration's policy, the comparison and the audit."""

from collections.abc import Callable, Iterator

from model.config import Promotion
from model.retraining.comparison import Comparison, GenreAccuracy, Judged, Paired
from pipelines.common.output.words import counted, some_of
from pipelines.common.section import Section

_MOST_GENRES = 5


class Audited(Section):
    """What the audit of a dataset found: whether it fails, and its conclusion."""

    fails: bool
    conclusion: str


class Rule(Section):
    """A rule of the policy and whether it holds.

    Attributes
    ----------
    name : str
        The key of `promotion` that says it.
    holds : bool
    says : str
        What was found and what was expected, in a sentence.
    """

    name: str
    holds: bool
    says: str


class Verdict(Section):
    """Whether a challenger is to be the champion, and why.

    Attributes
    ----------
    promote : bool
    rules : tuple of Rule
        All that were applied.
    notes : tuple of str
        What could not be judged, or was judged otherwise than usual, a sentence each.
    comparison : Comparison
    """

    promote: bool
    rules: tuple[Rule, ...]
    notes: tuple[str, ...] = ()
    comparison: Comparison

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands against a promotion; empty where nothing does."""
        return tuple(rule.says for rule in self.rules if not rule.holds)

    @property
    def summary(self) -> str:
        """What stands against a promotion; where nothing does, what it rests on."""
        of = self.comparison
        if not self.promote or of.challenger is None:
            return "; ".join(self.reasons)
        low, high = of.challenger.interval
        own = f"{of.challenger.song_accuracy:.1%} of {of.songs} protected test songs right ({low:.1%} to {high:.1%})"
        if of.champion is None or of.paired is None:
            return f"the first champion, {own}"
        low, high = of.paired.interval
        gain = f"gain {of.paired.gain:+.1%} ({low:+.1%} to {high:+.1%})"
        return f"{own}, the champion {of.champion.song_accuracy:.1%}; {gain}"


def decide(policy: Promotion, comparison: Comparison, audited: Audited) -> Verdict:
    """The verdict: a challenger is promoted where every rule holds.

    Parameters
    ----------
    policy : Promotion
    comparison : Comparison
        Without a champion and without `not_judged`, the challenger is the first, which only absolute floors hold back.
    audited : Audited
        Of the dataset that the challenger was trained on.
    """
    rules = [*_of_evidence(policy, comparison, audited)]
    if comparison.challenger is not None:
        rules += _of_challenger(policy, comparison.alone or comparison.challenger)
        if policy.largest_tempo_loss is not None:
            rules.append(_of_tempo(comparison.challenger, policy.largest_tempo_loss))
    if comparison.challenger is not None and comparison.champion is not None and comparison.paired is not None:
        rules += _of_both(policy, comparison.champion, comparison.challenger, comparison.paired)
    promote = all(rule.holds for rule in rules)
    return Verdict(
        promote=promote, rules=tuple(rules), notes=_notes(policy, comparison, audited), comparison=comparison
    )


def _of_evidence(policy: Promotion, comparison: Comparison, audited: Audited) -> Iterator[Rule]:
    """Whether there is enough to judge by."""
    if policy.audit_required:
        yield Rule(name="audit_required", holds=not audited.fails, says=f"audit: {audited.conclusion}")
    if comparison.not_judged:
        yield Rule(name="comparison", holds=False, says=comparison.not_judged)
    songs, least = comparison.songs, policy.least_songs
    found = f"{counted(songs, 'protected test song')}, {'expected' if songs < least else 'of'} {least} at least"
    says = f"too few to tell: {found}" if songs < least else found
    yield Rule(name="least_songs", holds=songs >= least, says=says)


def _of_challenger(policy: Promotion, challenger: Judged) -> Iterator[Rule]:
    """The absolute floors, on songs of all genres that the challenger knows."""
    accuracy, floor = challenger.song_accuracy, policy.least_accuracy
    low, high = challenger.interval
    says = f"song accuracy {accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}), {floor:.1%} at least"
    yield Rule(name="least_accuracy", holds=accuracy >= floor, says=says)
    yield _worst_genre(
        "least_genre_accuracy",
        challenger,
        policy,
        lambda genre, of: policy.least_genre_accuracy - of.accuracy,
        lambda genre, of: f"{genre} {of.accuracy:.1%} of {of.songs}",
        f"accuracy of every genre {policy.least_genre_accuracy:.1%} at least",
    )
    error, largest = challenger.calibration_error, policy.largest_calibration_error
    says = f"calibration error {error:.1%}, {largest:.1%} at most"
    yield Rule(name="largest_calibration_error", holds=error <= largest, says=says)


def _of_tempo(challenger: Judged, largest: float) -> Rule:
    if not challenger.tempos:
        return Rule(name="largest_tempo_loss", holds=False, says="accuracy at other tempos was not measured")
    worst = min(challenger.tempos, key=lambda tempo: challenger.tempos[tempo])
    loss = challenger.tempos["1"] - challenger.tempos[worst]
    says = f"loss of song accuracy at {worst} times the tempo {loss:.1%}, {largest:.1%} at most"
    return Rule(name="largest_tempo_loss", holds=loss <= largest, says=says)


def _of_both(policy: Promotion, champion: Judged, challenger: Judged, paired: Paired) -> Iterator[Rule]:
    """What the challenger gains and loses against the champion."""
    low, high = paired.interval
    shown = f"gain {paired.gain:+.1%} (champion {champion.song_accuracy:.1%}), {policy.least_gain:.1%} at least"
    yield Rule(name="least_gain", holds=paired.gain >= policy.least_gain, says=shown)
    says = (
        f"the gain's 95 % interval is {low:+.1%} to {high:+.1%}, {-policy.largest_loss:.1%} at least;"
        f" right alone: champion {paired.only_champion}, challenger {paired.only_challenger} (McNemar p"
        f" {paired.p_value:.2g})"
    )
    yield Rule(name="largest_loss", holds=low >= -policy.largest_loss, says=says)
    yield _worst_genre(
        "largest_genre_loss",
        challenger,
        policy,
        lambda genre, of: champion.per_genre[genre].accuracy - of.accuracy - policy.largest_genre_loss,
        lambda genre, of: f"{genre} {champion.per_genre[genre].accuracy:.1%} to {of.accuracy:.1%} of {of.songs}",
        f"loss in every genre {policy.largest_genre_loss:.1%} at most",
    )


def _worst_genre(
    name: str,
    challenger: Judged,
    policy: Promotion,
    excess: Callable[[str, GenreAccuracy], float],
    show: Callable[[str, GenreAccuracy], str],
    expected: str,
) -> Rule:
    """A rule for each genre that has enough songs; `excess` is above 0 where it does not hold."""
    judged = {genre: of for genre, of in challenger.per_genre.items() if of.songs >= policy.least_genre_songs}
    over = {genre: excess(genre, of) for genre, of in judged.items()}
    failing = sorted((genre for genre in over if over[genre] > 1e-9), key=lambda genre: -over[genre])
    if failing:
        says = f"{expected}; found {some_of([show(genre, judged[genre]) for genre in failing], _MOST_GENRES)}"
    else:
        says = f"{expected}, as all {len(judged)} that were judged have"
    return Rule(name=name, holds=not failing, says=says)


def _notes(policy: Promotion, comparison: Comparison, audited: Audited) -> tuple[str, ...]:
    notes = []
    if comparison.other_genres:
        others = some_of(comparison.other_genres, _MOST_GENRES)
        notes.append(f"compared among the {len(comparison.genres)} genres that both know, without {others}")
    if comparison.seen:
        notes.append(
            f"{comparison.seen} of {comparison.test_songs} test files left out, as they share samples or a group with"
            " what either was trained on"
        )
    if comparison.unknown_genre:
        notes.append(
            f"{comparison.unknown_genre} of {comparison.test_songs} test files left out, as not both know their genre"
        )
    judged = comparison.alone or comparison.challenger
    songs = {genre: of.songs for genre, of in judged.per_genre.items()} if judged else {}
    if few := sorted(g for g in {*comparison.genres, *songs} if songs.get(g, 0) < policy.least_genre_songs):
        genres = some_of(few, _MOST_GENRES)
        notes.append(f"not judged alone, for want of {policy.least_genre_songs} protected test songs: {genres}")
    if audited.fails and not policy.audit_required:
        notes.append(f"the audit found a leak, which the configuration lets pass: {audited.conclusion}")
    return tuple(notes)
