"""Drift: how what is new in the corpus differs from what the champion was trained on."""

from pydantic import Field

from pipelines.common.section import Section


class Drift(Section):
    """How the new songs differ.

    Attributes
    ----------
    since : int
        The version of the dataset that they are new since.
    new_songs : int
        How many there are.
    effect_sizes : dict of float
        By feature and figure, as 'log_mel level': Cohen's d of the new songs against the champion's training songs.
    genre_shares : float
        The total variation distance of the genres' shares.
    new_shares, trained_shares : dict of float
        The genres' shares among the new songs, and among the champion's training songs.
    predicted_mixture : float
        The total variation distance of the champion's mean predicted mixture, new songs against its test songs.
    out_of_distribution : float
        The share of the new songs' windows that the champion rejects.
    new_files : int
        How many files are new, rejected ones included.
    rejects : dict of float
        The share of the new files that was rejected, by reason.
    alarms : tuple of str
        What goes beyond what the configuration's `alarms` allow, a sentence each.
    """

    since: int
    new_songs: int
    effect_sizes: dict[str, float] = Field(default_factory=dict)
    genre_shares: float = 0.0
    new_shares: dict[str, float] = Field(default_factory=dict)
    trained_shares: dict[str, float] = Field(default_factory=dict)
    predicted_mixture: float = 0.0
    out_of_distribution: float = 0.0
    new_files: int = 0
    rejects: dict[str, float] = Field(default_factory=dict)
    alarms: tuple[str, ...] = ()
