"""Prediction: audio files to distributions over genres, in a Beam pipeline."""

import csv
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
import pydantic

from model.bundle import Bundle
from pipelines import audio, corpus, features, storage, work
from pipelines.errors import SongError, UsageError, of_unforeseen
from pipelines.section import Section
from pipelines.work import Json

PREDICTED, REJECTED = "predicted", "rejected"
SUFFIXES = (".csv", ".json", ".parquet")


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
    probabilities : dict
        The song's distribution over genres: the mean of its windows'.
    course : tuple of Moment
        The song from its beginning to its end.
    duration_s : float
    reason, error : str
        Of a rejected file, as in a dataset's ledger.
    """

    path: str
    status: str = PREDICTED
    genre: str = ""
    probability: float = 0.0
    probabilities: dict[str, float] = pydantic.Field(default_factory=dict)
    course: tuple[Moment, ...] = ()
    duration_s: float = 0.0
    reason: str = ""
    error: str = ""


def find_files(urls: Sequence[str]) -> list[str]:
    """The audio files that paths, folders and globs name, sorted, each once.

    A path that names no file is kept, so that it is told of as unreadable; a folder or glob without audio is an error.

    Raises
    ------
    UsageError
        A folder or a glob holds no audio.
    """
    found: set[str] = set()
    for url in urls:
        fs, path = storage.filesystem(url)
        is_glob = not fs.exists(path) and any(sign in path for sign in "*?[")
        if not is_glob and not storage.is_folder(url):
            found.add(storage.absolute(url))
            continue
        members = storage.find_glob(url) if is_glob else storage.find(url)
        songs = [storage.url_of(fs, member) for member in members if corpus.is_song(member.rpartition("/")[2])]
        if not songs:
            raise UsageError(f"{url}: no audio there; give audio files, folders of them, or globs")
        found.update(songs)
    return sorted(found)


def predict(
    bundle: Bundle, urls: Sequence[str], folder: str | None, new_pipeline: Callable[[], beam.Pipeline]
) -> list[Prediction]:
    """Says of which genres songs are.

    Parameters
    ----------
    bundle : Bundle
    urls : sequence of str
        Audio files, folders, globs.
    folder : str
        Where orders and receipts are kept, on storage that the workers share; when it is there from a run that was
        stopped, that run goes on. Default: a temporary one.
    new_pipeline : callable
        Gives an empty pipeline.

    Returns
    -------
    list of Prediction
        One for each file, sorted by path.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return predict(bundle, urls, temporary, new_pipeline)
    bundle.network()  # so that a damaged bundle is told of here, and not by every worker
    orders = [{"bundle": bundle.fingerprint, "songs": part} for part in work.parts(find_files(urls))]
    receipts = work.run(new_pipeline, PredictSongs(folder, bundle.url), orders)
    return [Prediction.model_validate(song) for receipt in receipts for song in receipt["songs"]]


class PredictSongs(work.Fulfil):
    """Predicts the songs of an order.

    Parameters
    ----------
    folder : str
        Where orders and receipts are.
    bundle_url : str
    """

    kind, verb = "predict", "Predict"

    def __init__(self, folder: str, bundle_url: str):
        super().__init__(folder)
        self.bundle_url = bundle_url

    def setup(self) -> None:
        super().setup()
        self.bundle = Bundle.load(self.bundle_url)
        self.network = self.bundle.network()
        self.windows = self.bundle.cutting()
        self.tile = self.windows.compiled_tile()

    def fulfil(self, order: Json) -> Json:
        from model.evaluate import classify

        rejected: list[Prediction] = []
        songs = ((known, windows) for known, windows in map(self._read, order["songs"]) if _keep(known, rejected))
        predicted = [self._prediction(known, probabilities) for known, probabilities in classify(self.network, songs)]
        everything = sorted(predicted + rejected, key=lambda prediction: prediction.path)
        return {"songs": [p.model_dump(mode="json") for p in everything], "rejected": len(rejected)}

    def _read(self, path: str) -> tuple[Prediction, dict[str, Any]]:
        config = self.bundle.audio
        try:
            recording = audio.load(path, config)
            arrays = features.compute(recording.samples, config.sample_rate_hz, self.bundle.features)
        except Exception as error:
            song_error = error if isinstance(error, SongError) else of_unforeseen(error)
            return Prediction(path=path, status=REJECTED, reason=song_error.reason, error=song_error.detail), {}
        duration_s = len(recording.samples) / config.sample_rate_hz
        return Prediction(path=path, duration_s=duration_s), self.tile(self.windows.normalise(arrays))

    def _prediction(self, known: Prediction, probabilities: Any) -> Prediction:
        starts_s = self.windows.starts_s(len(probabilities), known.duration_s)
        course = tuple(
            Moment(start_s=round(start_s, 3), probabilities=self._by_genre(row))
            for start_s, row in zip(starts_s, probabilities, strict=True)
        )
        song = self._by_genre(probabilities.mean(axis=0))
        genre = max(song, key=lambda name: song[name])
        values = {"genre": genre, "probability": song[genre], "probabilities": song, "course": course}
        return known.model_copy(update=values)

    def _by_genre(self, row: Any) -> dict[str, float]:
        return {genre: round(float(value), 6) for genre, value in zip(self.bundle.genres, row, strict=True)}


def _keep(known: Prediction, rejected: list[Prediction]) -> bool:
    if known.status == REJECTED:
        rejected.append(known)
    return known.status != REJECTED


def write_predictions(url: str, predictions: Sequence[Prediction], genres: Sequence[str]) -> None:
    """Writes predictions as `.json`, `.csv` or `.parquet`; a table has a column `p_GENRE` for each genre.

    Raises
    ------
    UsageError
        The file's suffix is none of these.
    """
    if url.endswith(".json"):
        content = json.dumps([prediction.model_dump(mode="json") for prediction in predictions], indent=1).encode()
    elif url.endswith(".csv"):
        content = _csv(predictions, genres)
    elif url.endswith(".parquet"):
        content = _parquet(predictions, genres)
    else:
        raise UsageError(f"--output {url}: expected a file that ends in {', '.join(SUFFIXES)}")
    storage.write_bytes(url, content)


def _row(prediction: Prediction, genres: Sequence[str]) -> dict[str, Any]:
    plain = prediction.model_dump(exclude={"probabilities", "course"})
    return plain | {f"p_{genre}": prediction.probabilities.get(genre) for genre in genres}


def _csv(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    sink = io.StringIO(newline="")
    rows = [
        _row(p, genres) | {"course": "; ".join(f"{moment.start_s:g} {moment.genre}" for moment in p.course)}
        for p in predictions
    ]
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def _parquet(predictions: Sequence[Prediction], genres: Sequence[str]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        _row(p, genres)
        | {
            "course": [
                {"start_s": moment.start_s, **{f"p_{g}": moment.probabilities[g] for g in genres}}
                for moment in p.course
            ]
        }
        for p in predictions
    ]
    moment = pa.struct([("start_s", pa.float64()), *((f"p_{genre}", pa.float64()) for genre in genres)])
    texts, numbers = ("path", "status", "genre", "reason", "error"), ("probability", "duration_s")
    columns = [(name, pa.string()) for name in texts] + [(name, pa.float64()) for name in numbers]
    columns += [(f"p_{genre}", pa.float64()) for genre in genres] + [("course", pa.list_(moment))]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(columns)), sink)
    return sink.getvalue()


def show(prediction: Prediction) -> str:
    """A prediction for a terminal: a bar for each genre, and the song's course."""
    if prediction.status == REJECTED:
        return f"{prediction.path}\n  rejected: {prediction.reason} ({prediction.error})"
    width = max(map(len, prediction.probabilities))
    ranked = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    bars = [f"  {genre:<{width}} {share:4.0%} {'█' * round(40 * share)}".rstrip() for genre, share in ranked]
    return "\n".join([f"{prediction.path}  {_clock(prediction.duration_s)}", *bars, f"  course: {_course(prediction)}"])


def _course(prediction: Prediction) -> str:
    turns: list[str] = []
    last = ""
    for moment in prediction.course:
        if moment.genre != last:
            turns.append(f"{_clock(moment.start_s)} {moment.genre}")
            last = moment.genre
    return ", ".join(turns)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
