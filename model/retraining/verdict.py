"""The verdict on a challenger: a pure function of the configuration's rules and of the comparison."""

from model.retraining.comparison import Comparison
from pipelines.common.section import Section


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
        """What stands against a promotion; where nothing does, what speaks for it."""
        return tuple(rule.says for rule in self.rules if rule.holds == self.promote)
