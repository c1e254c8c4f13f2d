"""The configuration of retrainings: where they are, what is promoted, what is alarming, and who is told."""

from typing import Literal

from pydantic import Field

from pipelines.common.section import Section


class Retraining(Section):
    """Where `spectroshard retrain` keeps its dataset and its registry, and how it trains and judges a challenger.

    Attributes
    ----------
    dataset : str
        The dataset's folder, by path or fsspec URL. Each retraining appends a version where the corpus has changed.
    registry : str
        The registry's folder, by path or fsspec URL.
    work : str
        The folder in which a challenger is trained, by path or fsspec URL; a retraining that was killed goes on there.
        Default: `work` in the registry.
    warm_start : bool
        Whether a challenger begins with the champion's weights, where that has the same network, features and genres.
    """

    dataset: str = Field(min_length=1)
    registry: str = Field(min_length=1)
    work: str = ""
    warm_start: bool = False


class Promotion(Section):
    """When a challenger becomes the champion. None of these has a default: what nobody chose decides nothing.

    Attributes
    ----------
    least_songs : int
        The fewest protected test songs that a promotion may rest on. Protected are those that share no group with
        anything that champion or challenger was trained on.
    least_accuracy : float
        The least song accuracy of a challenger on these songs, whatever the champion's is.
    least_genre_accuracy : float
        The least share of a genre's songs that a challenger has right.
    least_genre_songs : int
        In genres with fewer protected test songs neither that share nor a loss is judged, and the verdict says so.
    least_gain : float
        By how much the challenger's song accuracy must be above the champion's on the same songs; 0 allows as much.
    largest_loss : float
        The largest loss of song accuracy that the 95 % interval of the gain may still hold.
    largest_genre_loss : float
        The largest loss in the accuracy of a genre.
    largest_calibration_error : float
        The largest expected calibration error of a challenger.
    largest_tempo_loss : float or None
        The largest loss of song accuracy where songs are played at another tempo, for which their audio files are read.
        None judges no tempo.
    audit_required : bool
        Whether nothing is promoted unless the audit of the dataset finds no leak.
    """

    least_songs: int = Field(ge=1)
    least_accuracy: float = Field(ge=0, le=1)
    least_genre_accuracy: float = Field(ge=0, le=1)
    least_genre_songs: int = Field(ge=1)
    least_gain: float = Field(ge=0, le=1)
    largest_loss: float = Field(ge=0, le=1)
    largest_genre_loss: float = Field(ge=0, le=1)
    largest_calibration_error: float = Field(ge=0, le=1)
    largest_tempo_loss: float | None = Field(ge=0, le=1)
    audit_required: bool


class Alarms(Section):
    """From where on what is new in a corpus is so unlike what the champion was trained on that it is told as an alarm.

    Attributes
    ----------
    effect_size : float or None
        The largest effect size (Cohen's d) of a feature's level or spread by song; 0.8 is called large. Here and below
        None raises no alarm.
    genre_shares : float or None
        The largest difference of the genres' shares (total variation distance, from 0 to 1).
    predicted_mixture : float or None
        The largest difference of the champion's mean predicted mixture, from that on its test songs.
    out_of_distribution : float or None
        The largest share of new windows that the champion rejects as out of distribution.
    rejects : float or None
        The largest share of the new files that the build rejects.
    least_songs : int
        With fewer new songs only that share raises an alarm: a handful differs from the rest by chance.
    """

    effect_size: float | None = Field(default=None, ge=0)
    genre_shares: float | None = Field(default=None, ge=0, le=1)
    predicted_mixture: float | None = Field(default=None, ge=0, le=1)
    out_of_distribution: float | None = Field(default=None, ge=0, le=1)
    rejects: float | None = Field(default=None, ge=0, le=1)
    least_songs: int = Field(default=30, ge=1)


class Mlflow(Section):
    """The MLflow in which retrainings are to be seen, where this section is; it needs the extra `mlflow`.

    Attributes
    ----------
    tracking_uri : str
        Its tracking URI. Default: what `MLFLOW_TRACKING_URI` says; one that holds a password belongs there.
    experiment : str
        The experiment that has a run for each challenger.
    model : str
        The registered model that has a version for each challenger, and the alias `champion`.
    """

    tracking_uri: str = ""
    experiment: str = Field(default="spectroshard", min_length=1)
    model: str = Field(default="spectroshard", min_length=1)


TellingEvent = Literal["promoted", "alarm", "failed"]


class Telling(Section):
    """Who is told how a retraining ended. Who cannot be told changes nothing of it.

    Attributes
    ----------
    metrics : str
        A file of metrics in Prometheus' text format, which each run replaces, for the textfile collector of
        node_exporter: its name ends in `.prom`.
    command : tuple of str
        A command and its arguments, which gets what happened as JSON on its standard input.
    webhook_env : str
        The environment variable that holds the URL, which is a secret, to which the same JSON is posted.
    events : tuple of str
        What the command and the webhook are told of: that a challenger was `promoted`, that new songs raised an
        `alarm`, and that a retraining `failed` or its corpus was refused.
    timeout_s : float
        How long an attempt to tell may take, in seconds; there are five.
    """

    metrics: str = ""
    command: tuple[str, ...] = ()
    webhook_env: str = ""
    events: tuple[TellingEvent, ...] = ("promoted", "alarm", "failed")
    timeout_s: float = Field(default=30.0, gt=0)
