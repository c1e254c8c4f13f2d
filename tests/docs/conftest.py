"""A home with some music, and a folder with what the pages take for granted: made once for all pages."""

import shutil
from pathlib import Path

import pytest

from pipelines.corpus.synthetic import synth
from spectroshard.configuration import packaged
from tests.audio_files import write
from tests.docs.markdown import README
from tests.docs.runner import run_page

STYLES = ("ambient", "metal", "techno")
SONGS = 6
RATE_HZ = 44_100


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """`~/Music` and `~/Downloads` with three genres of six songs of 6 s as mp3, and `~/gtzan/genres` as wav."""
    home = tmp_path_factory.mktemp("home")
    for style in STYLES:
        for number in range(SONGS):
            samples = synth.song(style, number, duration_s=6.0, sample_rate_hz=RATE_HZ, seed=0)
            write(home / "Music" / style / f"{style}.{number:05d}.mp3", samples, RATE_HZ, "MPEG_LAYER_III", "MP3")
            write(home / "gtzan" / "genres" / style / f"{style}.{number:05d}.wav", samples, RATE_HZ)
        shutil.copytree(home / "Music" / style, home / "Downloads" / style)
    return home


@pytest.fixture(scope="session")
def after_readme(home, tmp_path_factory):
    """The folder in which README's blocks were run, from nothing."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copy(_songs(home / "Music", STYLES[0])[0], folder / "song.mp3")
    run_page(README, folder, home)
    return folder


@pytest.fixture
def folder(home, after_readme, tmp_path):
    """A folder with a dataset, a bundle, a manifest, lists and an index, as the pages name them."""
    shutil.copytree(after_readme / "songs", tmp_path / "songs")
    shutil.copytree(after_readme / "songs" / "dataset", tmp_path / "dataset")
    shutil.copytree(after_readme / "songs" / "bundle", tmp_path / "bundle")
    shutil.copy(after_readme / "song.mp3", tmp_path)
    songs = [(style, path) for style in STYLES for path in _songs(home / "Music", style)]
    rows = [f"{path},{style},{path.stem},{path.stem}" for style, path in songs]
    for manifest in (tmp_path / "manifest.csv", tmp_path / "soundtracks" / "manifest.csv"):
        manifest.parent.mkdir(exist_ok=True)
        shutil.copytree(home / "Music", manifest.parent / "music")
        listed = [row.replace(f"{home}/Music", "music") for row in rows]
        manifest.write_text("\n".join(["path,genre,song,artist", *listed]) + "\n")
    for number, split in enumerate(("train", "valid", "test")):
        listed = [str(path.relative_to(home / "Music")) for _, path in songs[number::3]]
        (tmp_path / f"{split}.txt").write_text("\n".join(listed) + "\n")
    index = [f"{path.name} ::: {path.stem} ::: {path.stem}" for _, path in songs]
    (tmp_path / "GTZANindex.txt").write_text("\n".join(index) + "\n")
    _write_retraining(tmp_path / "retraining.yaml", home / "Music")
    return tmp_path


def _write_retraining(path: Path, music: Path) -> None:
    """The packaged example, filled in: with places, and a policy that so few songs can meet."""
    filled_in = (
        packaged()["retraining"].read_text().replace("/srv/spectroshard", "weekly").replace("/srv/music", str(music))
    )
    path.write_text(
        filled_in.replace("least_songs: 50", "least_songs: 1").replace("least_accuracy: 0.5", "least_accuracy: 0")
    )


def _songs(root: Path, style: str) -> list[Path]:
    return sorted((root / style).iterdir())
