"""The life of a dataset and a bundle, command by command, wherever they are."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from pipelines.common import parquet, storage
from pipelines.corpus.synthetic import synth
from spectroshard import cli
from tests.stores.conftest import objects, upload, without_what_tells_where

CONFIG = {
    "features": {"log_mel": {"n_mels": 32}},
    "folds": {"count": 4},
    "training": {"epochs": 3, "window_s": 2.0, "windows_per_epoch": 1},
}
RATE_HZ = 22_050


@dataclass(frozen=True)
class Life:
    """What the commands left.

    Attributes
    ----------
    dataset : dict of bytes
        Its files, but for those that tell where the music is.
    audit : dict
        But for the dataset's URL.
    metrics : bytes
        Of the bundle.
    predictions : list of dict
        Without the paths.
    songs : list of dict
        The rows of a folder of predictions, without what tells where and when the files were written.
    """

    dataset: dict[str, bytes]
    audit: dict[str, object]
    metrics: bytes
    predictions: list[dict[str, str]]
    songs: list[dict[str, Any]]


def live(base: str, folder: Path, bundle: Path | None = None) -> tuple[Life, Path]:
    """Builds, builds again, extends, audits, trains unless there is a bundle, evaluates and predicts.

    Parameters
    ----------
    base : str
        The URL below which all is; a bundle is trained in a local folder.
    folder : Path
        A local one for what is made here.
    bundle : Path, optional
        One that was trained on the same dataset.

    Returns
    -------
    life : Life
    bundle : Path
        As it was trained.
    """
    (folder / "c.yaml").write_text(yaml.safe_dump(CONFIG))
    build = ["build", f"{base}/songs", "--config", f"{folder}/c.yaml", "--output", f"{base}/dataset", "--workers", "2"]
    for numbers in (range(8), range(8, 10)):
        for genre in ("ambient", "techno"):
            for number in numbers:
                samples = synth.song(genre, number, duration_s=6.0, sample_rate_hz=RATE_HZ, seed=0)
                path = folder / "songs" / genre / f"{number}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
        upload(folder / "songs", f"{base}/songs")
        _run(*build)
        _run(*build)
    _run("verify", f"{base}/dataset")
    _run("audit", f"{base}/dataset", "--output", f"{base}/audit")
    if bundle is None:
        bundle = folder / "bundle"
        _run("train", f"{base}/dataset", "--config", f"{folder}/c.yaml", "--output", str(bundle))
    upload(bundle, f"{base}/bundle")
    _run("evaluate", f"{base}/bundle", f"{base}/dataset")
    _run("predict", f"{base}/bundle", f"{base}/songs", "--output", f"{base}/predictions.csv")
    rows = csv.DictReader(io.StringIO(storage.read_bytes(f"{base}/predictions.csv").decode()))
    life = Life(
        without_what_tells_where(objects(f"{base}/dataset")),
        {**json.loads(storage.read_bytes(f"{base}/audit/audit.json")), "source": ""},
        storage.read_bytes(f"{base}/bundle/metrics.json"),
        _below_songs(rows),
        _below_songs(_predicted_into(f"{base}/predictions", base)),
    )
    return life, bundle


def _predicted_into(output: str, base: str) -> Iterator[dict[str, Any]]:
    """The rows of a folder of predictions, which is up to date when it is asked for again."""
    for _ in range(2):
        _run("predict", f"{base}/bundle", f"{base}/songs", "--output", output)
    for name, content in objects(output).items():
        if name.startswith("songs/"):
            yield from parquet.table(content).drop_columns(["version"]).to_pylist()


def within_rounding(value: Any) -> Any:
    """A value that equals others whose numbers differ in the last of six digits.

    A network rounds by how many windows it sees at once, and which songs are in a part goes by their URLs.
    """
    if isinstance(value, dict):
        return {key: within_rounding(each) for key, each in value.items()}
    if isinstance(value, list):
        return [within_rounding(each) for each in value]
    return pytest.approx(value, abs=1.5e-6) if isinstance(value, float) else value


def _below_songs(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({**row, "path": row["path"].rpartition("songs/")[2]} for row in rows), key=lambda row: row["path"])


def _run(*arguments: str) -> None:
    assert cli.main(list(arguments)) == 0
