"""Commands on a store that lies: they do what is right, or end in a line that names the object and what to do."""

import json
import re

import pytest
import yaml

from pipelines.common import parquet, storage
from spectroshard import cli
from tests.audio_files import write_songs
from tests.model.retraining.soak import POLICY
from tests.pipelines.conftest import VALUES, make_records_in_this_process
from tests.stores import lies
from tests.stores.conftest import objects, upload
from tests.stores.proxy import nothing

pytestmark = pytest.mark.slow

B = "s3://bucket"
CONFIG = VALUES | {"training": {"epochs": 2, "window_s": 1.0, "windows_per_epoch": 1, "batch_size": 8}}
RETRAINING = {
    "corpus": {"input": f"{B}/songs"},
    "retraining": {"dataset": f"{B}/weekly", "registry": f"{B}/registry"},
    "promotion": POLICY | {"least_songs": 1},
}
COMMANDS = {
    "train": ["train", f"{B}/dataset", "--config", "C", "--output", f"{B}/out"],
    "audit": ["audit", f"{B}/dataset", "--output", f"{B}/audit", "--workers", "1"],
    "predict": ["predict", f"{B}/bundle", f"{B}/songs", "--output", f"{B}/predictions"],
    "evaluate": ["evaluate", f"{B}/bundle", f"{B}/dataset"],
    "verify": ["verify", f"{B}/dataset"],
    "versions": ["versions", f"{B}/dataset"],
    "prune": ["prune", f"{B}/dataset", "--keep", "1"],
    "retrain": ["retrain", "R", "--workers", "1"],
}
CUT, OTHER = r"\d+ bytes came of \d+; after 5 attempts; try again later", r".*after 5 attempts; try again later"
MISSING = r"is missing; spectroshard verify tells what else is wrong"
TOLD = [
    ("train", lies.cut("/shards/"), rf"/dataset/shards/.*\.tfrecord: {CUT}"),
    ("train", lies.swapped("/tables/"), rf"/dataset/tables/.*\.parquet: {OTHER}"),
    ("train", lies.unlisted("/shards/0"), rf"/dataset/shards/.*\.tfrecord: {MISSING}"),
    ("train", lies.headed("dataset.json", 1), rf"/dataset/dataset\.json: {CUT}"),
    ("audit", lies.cut("/tables/"), rf"/dataset/tables/.*\.parquet: {CUT}"),
    ("audit", lies.swapped("/shards/"), rf"/dataset/shards/.*\.tfrecord: {OTHER}"),
    ("audit", lies.headed("/tables/", etag='"0"'), rf"/dataset/tables/.*\.parquet: {OTHER}"),
    ("predict", lies.cut("model.keras"), rf"/bundle/model\.keras: {CUT}"),
    ("predict", lies.cut("/songs/"), rf"/songs/.*\.wav: {CUT}"),
    ("predict", lies.swapped("/songs/"), rf"/songs/.*\.wav: {OTHER}"),
    ("evaluate", lies.cut("/shards/"), rf"/dataset/shards/.*\.tfrecord: {CUT}"),
    ("evaluate", lies.swapped("/tables/"), rf"/dataset/tables/.*\.parquet: {OTHER}"),
    ("evaluate", lies.headed("bundle.json", -1), rf"/bundle/bundle\.json: {CUT}"),
    ("verify", lies.cut("/shards/"), rf"/dataset/shards/.*\.tfrecord: {CUT}"),
    ("verify", lies.swapped("/versions/"), rf"/dataset/versions/.*/dataset\.json: {OTHER}"),
    ("versions", lies.cut("/versions/"), rf"/dataset/versions/.*/dataset\.json: {CUT}"),
    ("prune", lies.headed("/versions/", 1), rf"/dataset/versions/.*/dataset\.json: {CUT}"),
    ("retrain", lies.cut("/journal/"), rf"/registry/journal/000001\.json: {CUT}"),
    ("retrain", lies.headed("/journal/", 1), rf"/registry/journal/000001\.json: {CUT}"),
    ("retrain", lies.cut("weekly/versions/"), rf"/weekly/versions/.*/dataset\.json: {CUT}"),
    ("retrain", lies.cut("weekly/tables/"), rf"/weekly/tables/.*\.parquet: {CUT}"),
]
RIGHT = [
    ("audit", lies.paged()),
    ("audit", lies.failed("/audit/")),
    ("predict", lies.paged(order=-1)),
    ("versions", lies.unlisted("/versions/")),
    ("versions", lies.unlisted("/versions/000001")),
    ("prune", lies.unlisted("/versions/000002")),
    ("prune", lies.failed("lease")),
    ("retrain", lies.unlisted("/journal/")),
    ("retrain", lies.unlisted("weekly/versions/")),
    ("retrain", lies.paged()),
    ("retrain", lies.failed("lease")),
]


class World:
    """A bucket of songs, a dataset of them in two versions, a bundle, and a registry; and what commands make there."""

    def __init__(self, proxy, folder):
        self.proxy, self.folder, self._right = proxy, folder, {}
        for name, config in (("C", CONFIG), ("R", CONFIG | RETRAINING)):
            (folder / name).write_text(yaml.safe_dump(config))
        write_songs(folder / "songs")
        build = ["build", f"{B}/songs", "--config", "C", "--output", f"{B}/dataset", "--workers", "1"]
        late = folder / "songs/jazz/jazz.00000.wav"
        for path in (folder / "songs").rglob("*.wav"):
            if path != late:
                storage.write_bytes(f"{B}/{path.relative_to(folder)}", path.read_bytes())
        self.run(build)
        upload(folder / "songs", f"{B}/songs")
        for command in (build, [*COMMANDS["train"][:-1], str(folder / "bundle")], COMMANDS["retrain"]):
            assert self.run(command) == 0
        upload(folder / "bundle", f"{B}/bundle")
        self._objects = objects(B)

    def run(self, command):
        """The exit code of a command; C and R stand for the configurations."""
        return cli.main([str(self.folder / each) if each in ("C", "R") else each for each in command])

    def restore(self):
        """Puts everything back as it was."""
        there = storage.sizes(B)
        for name in there.keys() - self._objects.keys():
            storage.remove(f"{B}/{name}")
        for name, content in self._objects.items():
            if name not in there or any(each.kind == "PUT" and each.key.endswith(name) for each in self.proxy.asked):
                storage.write_bytes(f"{B}/{name}", content)
        self.proxy.asked.clear()

    def made_by(self, name, out):
        """What a command made: files, or what it printed."""
        if name == "predict":
            tables = (content for at, content in objects(f"{B}/predictions").items() if at.startswith("songs/"))
            rows = [row for content in tables for row in parquet.table(content).drop_columns(["version"]).to_pylist()]
            return sorted(rows, key=lambda row: row["path"])
        if name == "audit":
            return json.loads(storage.read_bytes(f"{B}/audit/audit.json"))
        if name == "retrain":
            told = json.loads(out.splitlines()[-1])
            return told["what"], told["message"], told["dataset_version"], sorted(storage.sizes(f"{B}/registry"))
        return out, sorted(storage.sizes(f"{B}/dataset"))

    def right(self, name, capsys):
        """What a command makes where nobody lies."""
        if name not in self._right:
            self.restore()
            assert self.run(COMMANDS[name]) == 0
            self._right[name] = self.made_by(name, capsys.readouterr().out)
        return self._right[name]


@pytest.fixture(scope="module")
def made(proxy, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        make_records_in_this_process(patch)
        yield World(proxy, tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(made, tmp_path, monkeypatch):
    made.restore()
    monkeypatch.setenv("SPECTROSHARD_CACHE", str(tmp_path))
    yield made
    made.proxy.lie = nothing


@pytest.mark.parametrize(("name", "lie", "line"), TOLD, ids=lambda value: value if isinstance(value, str) else "")
def test_a_lie_that_is_noticed_ends_a_command_in_a_line(world, capsys, name, lie, line):
    world.proxy.lie = lie
    assert world.run(COMMANDS[name]) == 1
    told = capsys.readouterr()
    assert re.search(line, told.err.splitlines()[-1]), told.err
    assert "Traceback" not in told.err + told.out


@pytest.mark.parametrize(("name", "lie"), RIGHT)
def test_other_lies_change_nothing_of_what_a_command_does(world, capsys, name, lie):
    right = world.right(name, capsys)
    world.restore()
    world.proxy.lie = lie
    assert world.run(COMMANDS[name]) == 0
    world.proxy.lie = nothing
    assert world.made_by(name, capsys.readouterr().out) == right
