"""Whole commands on a real Flink cluster of one JobManager and two TaskManagers: `make test-flink`."""

import json
import os
import shutil
import signal

import pytest
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability import portable_metrics
from google.protobuf import json_format

from tests.addresses import LOOPBACK, listens_on
from tests.flink.conftest import ADDED, REJECTED, SONGS, keys, spectroshard, wait_until, write_song
from tests.model.retraining.soak import POLICY, configured
from tests.pipelines.conftest import published

FILES = SONGS + len(REJECTED)


def build(corpus, output, cluster, *more):
    return spectroshard("build", corpus, "--output", output, *keys(), "--runner", cluster.runner, *more)


def newest_job(cluster):
    return max(cluster.rest("/jobs/overview")["jobs"], key=lambda job: job["start-time"])


def counters(cluster):
    """What Beam counted in the newest job, as Flink tells it."""
    told = cluster.rest(f"/jobs/{newest_job(cluster)['jid']}/accumulators")["user-task-accumulators"]
    text = next(each["value"] for each in told if each["name"] == "__metricscontainers")
    infos = json_format.Parse(text, beam_job_api_pb2.GetJobMetricsResponse()).metrics.attempted
    return {key.metric.name: value for key, value in portable_metrics.from_monitoring_infos(infos)[0].items()}


def failures(cluster):
    """How often a step of the newest job failed, and why at last."""
    history = cluster.rest(f"/jobs/{newest_job(cluster)['jid']}/exceptions")["exceptionHistory"]["entries"]
    return [entry["exceptionName"] for entry in history]


def a_part_is_read(output):
    return lambda: list(output.glob("runs/*/progress/read-*.json"))


def a_shard_is_written(output):
    return lambda: list(output.glob("staging/shards/*/*.json"))


def kill_task_manager(cluster):
    cluster.task_managers[-1].kill()


def kill_workers(cluster):
    for process in cluster.processes("sdk_worker_main"):  # all, as one of them alone may have nothing in hand
        os.kill(process, signal.SIGKILL)


def test_a_dataset_is_built_extended_and_audited_as_on_this_machine(cluster, corpus, local, tmp_path):
    music, output = tmp_path / "music", tmp_path / "dataset"
    shutil.copytree(corpus, music)
    first = build(music, output, cluster)
    assert first.end() == 0, first.told()
    assert f"Read songs: {FILES} of {FILES} in" in first.told()
    assert f"Write songs: {SONGS} of {SONGS} in" in first.told()
    assert f"{FILES} files found: {SONGS} written, 0 duplicates, {len(REJECTED)} rejected" in first.told()
    assert {name for name in published(output) if name.startswith(("shards/", "staging/"))} == {
        name for name in local if name.startswith("shards/")
    }
    counted = counters(cluster)
    assert (counted["songs"], counted["written_songs"]) == (FILES, SONGS)
    assert [counted[f"rejected_{reason}"] for reason in REJECTED] == [1] * len(REJECTED)

    for number in range(SONGS, SONGS + ADDED):
        write_song(music, number)
    here = tmp_path / "here"
    shutil.copytree(output, here)
    extended = build(music, output, cluster)
    assert extended.end() == 0, extended.told()
    assert counters(cluster)["songs"] == ADDED
    alone = spectroshard("build", music, "--output", here, *keys())
    assert alone.end() == 0, alone.told()
    assert _but_urls(published(output), output) == _but_urls(published(here), here)

    audit = spectroshard("audit", output, "--output", tmp_path / "audit", "--runner", cluster.runner)
    audit_here = spectroshard("audit", output, "--output", tmp_path / "audit-here")
    assert (audit.end(), audit_here.end()) == (0, 0), audit.told()
    found = [json.loads((tmp_path / name / "audit.json").read_text()) for name in ("audit", "audit-here")]
    assert found[0] == found[1]


def _but_urls(files, folder):
    return {name: content.replace(str(folder).encode(), b"D") for name, content in files.items()}


def test_a_retraining_and_predictions_by_its_champion(cluster, corpus, local, tmp_path):
    policy = POLICY | {"largest_tempo_loss": 1.0}
    config = configured(tmp_path / "config", corpus, str(tmp_path / "weekly"), {"promotion": policy})
    retrain = ["retrain", config, *keys(), "--set=training.tempo=0", "--runner", cluster.runner]
    before = {job["name"] for job in cluster.rest("/jobs/overview")["jobs"]}
    first = spectroshard(*retrain)
    assert first.end() == 0 and "is the champion: the first champion" in first.told(), first.told()
    made = {job["name"] for job in cluster.rest("/jobs/overview")["jobs"]} - before
    assert sorted(name.split("-")[1] for name in made) == ["build", "compare", "predict"]
    assert published(tmp_path / "weekly/dataset") == local
    again = spectroshard(*retrain)
    assert again.end() == 0 and "nothing_new: nothing new since version 1" in again.told(), again.told()

    tables = [tmp_path / "flink.csv", tmp_path / "here.csv"]
    champion = f"registry:{tmp_path / 'weekly/registry'}"
    for table, where in zip(tables, (["--runner", cluster.runner], []), strict=True):
        command = spectroshard("predict", champion, corpus / "techno", "--output", table, *where)
        assert command.end() == 1, command.told()  # some were rejected
        assert f"{SONGS // 3} songs predicted, {len(REJECTED)} rejected" in command.told()
    assert tables[0].read_bytes() == tables[1].read_bytes()


@pytest.mark.parametrize(("first", "second"), [(kill_task_manager, kill_workers), (kill_workers, kill_task_manager)])
def test_what_works_is_killed_in_reading_and_in_assembly(cluster, corpus, local, tmp_path, first, second):
    output = tmp_path / "dataset"
    command = build(corpus, output, cluster)
    for moment, kill in ((a_part_is_read, first), (a_shard_is_written, second)):
        wait_until(moment(output), command)
        kill(cluster)
    assert command.end() == 0, command.told()
    assert len(failures(cluster)) >= 2
    assert published(output) == local


def test_a_cancelled_job_publishes_nothing_and_the_same_command_goes_on(cluster, corpus, local, tmp_path):
    output = tmp_path / "dataset"
    command = build(corpus, output, cluster)
    wait_until(a_part_is_read(output), command)
    job = newest_job(cluster)["jid"]
    cluster.rest(f"/jobs/{job}", method="PATCH")
    assert command.end() == 1
    last = command.told().splitlines()[-1]
    assert f"Flink job {job} at http://{cluster.address}: " in last and "was cancelled" in last
    assert last.endswith("run the same command again to continue")
    assert not list(output.glob("versions/*"))
    again = build(corpus, output, cluster)
    assert again.end() == 0, again.told()
    assert published(output) == local


def test_a_job_outlives_the_command_that_submitted_it(cluster, corpus, local, tmp_path):
    output = tmp_path / "dataset"
    command = build(corpus, output, cluster)
    wait_until(a_part_is_read(output), command)
    command.process.kill()
    command.end()
    job = newest_job(cluster)["jid"]
    second = build(corpus, output, cluster)
    assert second.end() == 3
    assert f"Flink job {job} at http://{cluster.address}" in second.told()
    wait_until(lambda: newest_job(cluster)["state"] == "FINISHED", job)
    assert published(output) == local


def test_a_detached_build(cluster, corpus, local, tmp_path):
    output = tmp_path / "dataset"
    command = build(corpus, output, cluster, "--detach")
    assert command.end() == 0, command.told()
    job = newest_job(cluster)["jid"]
    assert f"left to Flink job {job} at http://{cluster.address}" in command.told()
    at_work = spectroshard("status", output)
    assert at_work.end() == 0 and f"(Flink job {job} at http://{cluster.address})" in at_work.told()
    wait_until(a_part_is_read(output), "nothing is read")
    processes = cluster.processes()  # whoever reaches them can have code run, or is sent it
    assert sum(bool(listens_on([process])) for process in processes) >= 3 and listens_on(processes) <= LOOPBACK
    wait_until(lambda: newest_job(cluster)["state"] == "FINISHED", job)
    assert published(output) == local
    assert [path.name for path in output.glob("runs/**/*") if path.is_file()] == ["outcome.json"]
    ended = spectroshard("status", output)
    assert ended.end() == 0 and "published" in ended.told()
