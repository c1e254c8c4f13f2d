"""The benchmarks' own machinery; what they measure is for `make bench` to say."""

import json
import os

import pytest
import soundfile

from pipelines.build.build import build
from pipelines.common.beam.runners import new_pipelines
from pipelines.common.errors import UsageError
from pipelines.config import BuildConfig
from tests.benchmarks import bench, growth, program, store
from tests.benchmarks.clips import given, synthetic
from tests.benchmarks.contests import Difference, Row, apart, faster, in_turn, longer, write


def test_sides_take_turns_and_their_first_does_not_count():
    turns = []
    elapsed_s = {"ours": iter([100, 1, 2, 3]), "reference": iter([200, 10, 40, 20])}

    def side(name):
        return lambda: turns.append(name) or next(elapsed_s[name])

    assert in_turn({name: side(name) for name in elapsed_s}, turns=3) == {"ours": 2, "reference": 20}
    assert turns == ["ours", "reference"] * 4


def test_a_ratio_is_of_the_reference_to_ours_or_the_other_way_round():
    seconds = {"ours": 0.002, "reference": 0.006}
    assert faster("this", "that", seconds, at_least=3).is_met
    assert not faster("this", "that", seconds, at_least=3.1).is_met
    assert longer("this", "that", seconds, at_most=0.34).figure == pytest.approx(1 / 3)
    assert not longer("this", "that", seconds, at_most=0.33).is_met


def test_a_fast_row_that_differs_too_much_is_not_met():
    seconds = {"ours": 0.001, "reference": 0.003}
    row = faster("this", "that", seconds, at_least=2, differences={"x": Difference(2, 1), "y": Difference(0, 0)})
    assert row.is_met is False
    assert "x differs by 2.0e+00, allowed 1" in row.cells()[-1]


def test_a_row_without_requirement_is_neither_met_nor_not():
    row = Row("this", "", 480, None, "MB", 480, "MB")
    assert row.is_met is None
    assert row.cells() == ["this", "", "", "480 MB", "480 MB", "", "", ""]


def test_the_table_and_its_json_have_machine_and_rows(tmp_path):
    rows = [Row("this", "that", 1234.5, 2.34, "ms", 527.0, at_most=600), Row("memory", "", 600, None, "MB", 600, "MB")]
    table = write(rows, "2 clips", tmp_path / "new", "bench")
    assert (tmp_path / "new" / "bench.md").read_text() == table
    first = next(line for line in table.splitlines() if line.startswith("| this"))
    cells = [cell.strip() for cell in first.strip("|").split("|")]
    assert cells == ["this", "that", "2.34 ms", "1,234 ms", "527x", "at most 600x", "yes", ""]
    values = json.loads((tmp_path / "new" / "bench.json").read_text())
    assert values["clips"] == "2 clips"
    assert values["machine"]["python"] in table
    assert [(row["measured"], row["figure"], row["is_met"]) for row in values["rows"]] == [
        ("this", 527.0, True),
        ("memory", 600, None),
    ]


def test_a_benchmark_runs_in_a_process_of_its_own_with_one_core():
    assert apart(os.getpid) != os.getpid()
    assert apart(os.sched_getaffinity, 0) == {min(os.sched_getaffinity(0))}


def test_each_benchmark_is_there():
    for benchmark in bench.BENCHMARKS.values():
        source = bench.Path(bench.__file__).with_name(f"{benchmark.module}.py").read_text()
        assert f"\ndef {benchmark.function}(" in source


def test_a_benchmark_that_fails_fails_the_run_and_costs_no_other(tmp_path, monkeypatch, capsys):
    clips = synthetic(str(tmp_path / "clips"), 1, 0.5)

    def measured(do, *given, cores=1):
        if do is bench.find_clips:
            return clips
        if given[0] is bench.BENCHMARKS["nine"]:
            raise RuntimeError("no room")
        return [Row("this", "that", 2, 2, "ms", 1.0, at_least=3)]

    monkeypatch.setattr(bench, "apart", measured)
    monkeypatch.setattr("sys.argv", ["bench", "--only", "log-mel", "--output", str(tmp_path)])
    assert bench.main() == 0  # measured, though not met
    assert "**no**" in (tmp_path / "bench.md").read_text()
    monkeypatch.setattr("sys.argv", ["bench", "--only", "nine", "log-mel", "--output", str(tmp_path)])
    assert bench.main() == 1
    assert len(json.loads((tmp_path / "bench.json").read_text())["rows"]) == 1
    assert "could not measure nine" in capsys.readouterr().err


def test_many_clips_are_made_of_few_and_all_differ(tmp_path):
    clips = synthetic(str(tmp_path), 1, 1.0)
    folder = clips.many(35)
    files = sorted(folder.rglob("*.wav"))
    contents = {path.read_bytes() for path in files}
    assert len(files) == len(contents) == 35
    assert {soundfile.info(path).frames for path in files} == {22_050}
    assert len({path.parent for path in files}) == 5
    assert len(list(clips.many(3).rglob("*.wav"))) == 3
    with pytest.raises(UsageError, match="501 clips cannot be made of 10, at most 500"):
        clips.many(501)


def test_clips_that_are_no_use_are_left_out(tmp_path):
    songs = synthetic(str(tmp_path / "made"), 1, 6.0)
    (tmp_path / "songs" / "a").mkdir(parents=True)
    os.link(songs.paths[0], tmp_path / "songs" / "a" / "good.wav")
    (tmp_path / "songs" / "a" / "bad.wav").write_text("no audio")
    assert [path.rpartition("/")[2] for path in given(str(tmp_path / "songs"), str(tmp_path)).paths] == ["good.wav"]


@pytest.mark.parametrize(("last_s", "each_ms", "is_met"), [(5.4, 18, True), (9.0, 30, False)])
def test_growth_compares_what_a_song_costs(last_s, each_ms, is_met):
    seconds = [dict.fromkeys(growth._TASKS, cost_s) for cost_s in (2.0, 3.0, last_s)]
    row = growth.rows([100, 200, 300], seconds)[0]
    assert (row.reference, row.ours, row.figure) == pytest.approx((15, each_ms, each_ms / 15))
    assert row.is_met == is_met
    assert f"100: 20.00 ms a song, 2.00 s in all, 200: 15.00 ms a song, 3.00 s in all, 300: {each_ms:.2f}" in row.note


@pytest.mark.slow  # a build
def test_the_loop_that_a_build_is_compared_with_does_the_same_work(tmp_path):
    folder = synthetic(str(tmp_path), 1, 3.0).many(10)
    build(program.config(folder, ["log_mel"]), str(tmp_path / "dataset"), new_pipelines([], 1))
    built = {path.read_bytes() for path in (tmp_path / "dataset/shards").rglob("*.tfrecord")}
    looped = program.build_by_loop(folder, ["log_mel"])
    assert {path.read_bytes() for path in looped.glob("*.tfrecord")} == built != set()
    assert (looped / "songs.parquet").exists()


def test_what_a_store_is_asked_grows_with_the_songs_and_little_is_left_at_rest(capsys):
    small, large = (store.requests(songs, 30.0, BuildConfig()) for songs in (100_000, 1_000_000))
    assert large.objects_at_rest <= 1.02 * large.shards
    assert (large.shards, large.stored_bytes) == pytest.approx((10 * small.shards, 10 * small.stored_bytes), rel=0.01)
    assert 2_000_000 < large.gets < 2_100_000 and large.puts < 20_000
    assert store.main(["1000"]) == 0
    assert "objects at rest" in capsys.readouterr().out
