"""The comparison of a challenger with the champion: figures of both on the same protected test songs."""

from pydantic import Field

from pipelines.common.section import Section


class GenreAccuracy(Section):
    """The share of a genre's protected test songs that a bundle has right."""

    songs: int
    accuracy: float


class Judged(Section):
    """A bundle's figures on the protected test songs.

    Attributes
    ----------
    bundle : str
        Its version in the registry.
    song_accuracy : float
    interval : tuple of float
        Its 95 % interval, by the bootstrap over groups.
    per_genre : dict of GenreAccuracy
        Of each genre that has a song.
    calibration_error : float
        The expected calibration error.
    log_loss : float
        The mean negative logarithm of the true genre's probability.
    tempos : dict of float
        The song accuracy at each tempo, '0.8' to '1.25'; empty where it was not measured.
    size_bytes : int
        Of the model's file.
    seconds_per_song : float
        Measured while it scored these songs.
    training_seconds : float
        Of all epochs.
    """

    bundle: str
    song_accuracy: float
    interval: tuple[float, float]
    per_genre: dict[str, GenreAccuracy]
    calibration_error: float
    log_loss: float
    tempos: dict[str, float] = Field(default_factory=dict)
    size_bytes: int = 0
    seconds_per_song: float = 0.0
    training_seconds: float = 0.0


class Paired(Section):
    """How a challenger differs from the champion, song by song.

    Attributes
    ----------
    gain : float
        The challenger's song accuracy less the champion's.
    interval : tuple of float
        Its 95 % interval, by the paired bootstrap over groups.
    only_champion, only_challenger : int
        How many songs one has right and the other has not.
    p_value : float
        Of McNemar's exact test, two-sided: how likely so uneven a share of these songs is where both are equally good.
    """

    gain: float
    interval: tuple[float, float]
    only_champion: int
    only_challenger: int
    p_value: float


class Comparison(Section):
    """Champion and challenger on the same songs.

    Attributes
    ----------
    songs, groups : int
        How many protected test songs there are, and groups of them.
    test_songs, seen, unknown_genre : int
        How many files are in test; how many are left out as they share samples or a group with what either was trained
        on; and as they are of a genre that only one of both knows, or none.
    genres : tuple of str
        Those that both know, among which both choose.
    other_genres : tuple of str
        Those that only one of both knows.
    challenger : Judged
    champion : Judged or None
        None where there is none, or where it cannot be judged.
    paired : Paired or None
    not_judged : str
        Why the champion cannot be judged, or the challenger; empty where it can.
    """

    songs: int
    groups: int
    test_songs: int
    seen: int
    unknown_genre: int
    genres: tuple[str, ...]
    other_genres: tuple[str, ...] = ()
    challenger: Judged | None
    champion: Judged | None = None
    paired: Paired | None = None
    not_judged: str = ""
