"""The life of a dataset and a bundle, command by command, wherever they are."""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import soundfile
import yaml

from pipelines.common import storage
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
    """

    dataset: dict[str, bytes]
    audit: dict[str, object]
    metrics: bytes
    predictions: list[dict[str, str]]


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
        sorted(({**row, "path": row["path"].rpartition("songs/")[2]} for row in rows), key=lambda row: row["path"]),
    )
    return life, bundle


def _run(*arguments: str) -> None:
    assert cli.main(list(arguments)) == 0
