"""Prediction: audio files to distributions over genres, in a Beam pipeline."""

import tempfile
from collections.abc import Sequence
from typing import Any

from model.inference.bundle import Bundle
from model.inference.prediction import REJECTED, Moment, Prediction
from model.inference.scores import temper
from pipelines.audio import decode, quality, time_stretch
from pipelines.common import storage
from pipelines.common.beam import jobs
from pipelines.common.beam.jobs import Json
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.errors import FileError, UsageError, of_unforeseen
from pipelines.corpus import listing, manifest, tags
from pipelines.features import compute


def find_files(urls: Sequence[str]) -> dict[str, int | None]:
    """The audio files that paths, folders, globs and manifests name, sorted, each once.

    A path that names no file is kept, so that it is told of as unreadable; a folder or glob without audio is an error.

    Returns
    -------
    dict
        Each file's year, where a manifest gives it.

    Raises
    ------
    UsageError
        A folder, a glob or a manifest holds no audio, or a manifest's row is wrong.
    """
    years: dict[str, int | None] = {}
    for url in urls:
        for path, year in (_listed(url) if manifest.is_manifest(url) else _found(url)).items():
            years[path] = years.get(path) or year
    return dict(sorted(years.items()))


def _found(url: str) -> dict[str, int | None]:
    fs, path = storage.filesystem(url)
    is_glob = not fs.exists(path) and any(sign in path for sign in "*?[")
    if not is_glob and not storage.is_folder(url):
        return {storage.absolute(url): None}
    members = storage.find_glob(url) if is_glob else storage.find(url)
    songs = [storage.url_of(fs, member) for member in members if listing.is_audio(member.rpartition("/")[2])]
    if not songs:
        raise UsageError(f"{url}: no audio there; give audio files, folders of them, globs, or manifests")
    return dict.fromkeys(songs)


def _listed(url: str) -> dict[str, int | None]:
    """The files of a manifest, with their years."""
    columns, rows = manifest.read_table(url)
    if "path" not in columns or not rows:
        found = ", ".join(sorted(columns)) or "none"
        raise UsageError(
            f"manifest {url}: expected rows with a path and optionally a year; found {len(rows)}, of {found}"
        )
    folder = storage.absolute(url).rpartition("/")[0]
    years: dict[str, int | None] = {}
    for row in rows:
        path, year = row["path"], row.get("year", "")
        if not path or (year and tags.year_of(year) is None):
            raise UsageError(
                f"manifest {url}: path {path!r}, year {year!r}; expected a path, and four digits or nothing"
            )
        years[manifest.file_url(path, folder)] = tags.year_of(year)
    return years


def predict(bundle: Bundle, urls: Sequence[str], folder: str | None, new_pipeline: NewPipeline) -> list[Prediction]:
    """Says of which genres songs are.

    Parameters
    ----------
    bundle : Bundle
    urls : sequence of str
        Audio files, folders, globs, manifests.
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
    years = find_files(urls)
    predictions = predict_at(bundle, list(years), (1.0,), folder, new_pipeline)[1.0]
    return [known.model_copy(update={"year": years[known.path] or known.year}) for known in predictions]


def predict_at(
    bundle: Bundle,
    paths: Sequence[str],
    tempos: Sequence[float],
    folder: str,
    new_pipeline: NewPipeline,
) -> dict[float, list[Prediction]]:
    """What a bundle says of files that are played at some tempos; by tempo, in the order of the paths."""
    bundle.network()  # so that a damaged bundle is told of here, and not by every worker
    parts = [(tempo, part) for tempo in tempos for part in jobs.parts(paths)]
    orders = [{"bundle": bundle.digest, "tempo": tempo, "songs": part} for tempo, part in parts]
    receipts = jobs.run(new_pipeline, PredictSongs(folder, bundle.url), orders)
    predictions: dict[float, list[Prediction]] = {tempo: [] for tempo in tempos}
    for (tempo, _), receipt in zip(parts, receipts, strict=True):
        predictions[tempo] += map(Prediction.model_validate, receipt["songs"])
    return predictions


class PredictSongs(jobs.Fulfil):
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
        from model.inference.classify import classify

        rejected: list[Prediction] = []
        read = (self._read(path, order["tempo"]) for path in order["songs"])
        songs = ((known, windows) for known, windows in read if _keep(known, rejected))
        predicted = [self._prediction(known, segments) for known, segments in classify(self.network, songs)]
        everything = sorted(predicted + rejected, key=lambda prediction: prediction.path)
        return {"songs": [p.model_dump(mode="json") for p in everything], "rejected": len(rejected)}

    def _read(self, path: str, tempo: float) -> tuple[Prediction, dict[str, Any]]:
        config = self.bundle.audio
        try:
            recording = decode.load(path, config)
            quality.check(recording, config)
            samples = recording.samples
            with storage.local_copy(path) as local:
                year = tags.read_year(local)
            if tempo != 1:
                samples = time_stretch.at_tempo(samples[:], config.sample_rate_hz, tempo)
            arrays = compute.compute(samples, config.sample_rate_hz, self.bundle.features)
        except Exception as error:
            song_error = error if isinstance(error, FileError) else of_unforeseen(error)
            return Prediction(path=path, status=REJECTED, reason=song_error.reason.name, error=song_error.detail), {}
        duration_s = len(samples) / config.sample_rate_hz
        return Prediction(path=path, duration_s=duration_s, year=year), self.tile(self.windows.normalise(arrays))

    def _prediction(self, known: Prediction, segments: Any) -> Prediction:
        starts_s = self.windows.starts_s(len(segments), known.duration_s)
        course = tuple(
            Moment(start_s=round(start_s, 3), probabilities=self._by_genre(row))
            for start_s, row in zip(starts_s, segments, strict=True)
        )
        song = self._by_genre(temper(segments.mean(axis=0), self.bundle.temperature))
        genre = max(song, key=lambda name: song[name])
        is_confident = self.bundle.is_confident(song[genre])
        values = {"genre": genre, "probability": song[genre], "is_confident": is_confident}
        return known.model_copy(update=values | {"probabilities": song, "course": course})

    def _by_genre(self, row: Any) -> dict[str, float]:
        return {genre: round(float(value), 6) for genre, value in zip(self.bundle.genres, row, strict=True)}


def _keep(known: Prediction, rejected: list[Prediction]) -> bool:
    if known.status == REJECTED:
        rejected.append(known)
    return known.status != REJECTED
