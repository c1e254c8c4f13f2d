"""Attempts that overlap: late second ones of workers, and two builds at once. What is published stays as it is."""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.build.build import build
from pipelines.build.runs.run import RECORDS, Run
from pipelines.build.steps import publish
from pipelines.build.steps.assemble import AssembleShard
from pipelines.build.steps.read_songs import ReadPart
from pipelines.common import lease, parquet, storage
from pipelines.common.errors import BusyError, SpectroshardError
from pipelines.dataset import versions
from tests.audio_files import tone, write, write_songs
from tests.pipelines.conftest import config_of, in_process, no_pipeline, published
from tests.pipelines.dataset_checks import check_version

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture
def late(songs_folder, tmp_path, monkeypatch):
    """The output of a build, and its run, of which nothing was removed: workers may still be at work on it."""
    monkeypatch.setattr(Run, "tidy", lambda self: None)
    monkeypatch.setattr(storage, "remove", lambda url: None)
    output = tmp_path / "out"
    build(config_of(songs_folder), str(output), in_process())
    monkeypatch.undo()
    storage.remove(f"{output}/runs/lease.json")
    (run,) = (Run(str(path)) for path in (output / "runs").iterdir())
    return output, run


def attempt_all_again(run):
    """What late second attempts of every step do."""
    for step, table in ((ReadPart(), run.reads), (AssembleShard(), run.path(f"plan/{RECORDS}.parquet"))):
        step.setup()
        for part in range(parquet.group_count(table)):
            list(step.process((run.url, part)))
        step.teardown()
    publish.publish(run.url)


def without_staging(folder):
    return {name: content for name, content in published(folder).items() if not name.startswith("staging/")}


@pytest.mark.parametrize("has_outcome", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_late_second_attempt_changes_nothing(built, songs_folder, late, has_outcome):
    output, run = late
    if not has_outcome:
        storage.remove(run.path("outcome.json"))
    attempt_all_again(run)
    assert without_staging(output) == published(built.dataset.url)
    assert not build(config_of(songs_folder), str(output), no_pipeline).is_new
    assert published(output) == published(built.dataset.url)


def test_an_attempt_that_is_killed_when_it_has_committed_is_made_up_for_by_the_next(built, late, monkeypatch):
    def killed(dataset):
        raise KeyboardInterrupt

    output, run = late
    for name in (run.path("outcome.json"), f"{output}/dataset.json", f"{output}/train.txt"):
        storage.remove(name)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(versions, "mend_copies", killed)
        publish.publish(run.url)
    publish.publish(run.url)
    assert published(output) == published(built.dataset.url)


def test_a_late_second_attempt_after_a_further_version_changes_nothing(late, songs_folder, tmp_path):
    output, run = late
    songs = Path(shutil.copytree(songs_folder, tmp_path / "songs"))
    write(songs / "jazz/new.wav", tone(1.5, 8_000, frequency_hz=999), 8_000)
    kept = shutil.copytree(run.url, tmp_path / "run"), shutil.copytree(output / "staging", tmp_path / "staging")
    second = build(config_of(songs), str(output), in_process())
    after = published(output)
    shutil.copytree(kept[0], run.url, dirs_exist_ok=True)
    shutil.copytree(kept[1], output / "staging", dirs_exist_ok=True)
    storage.remove(run.path("outcome.json"))
    attempt_all_again(run)
    assert without_staging(output) == after
    check_version(second.dataset, songs)


@pytest.fixture
def other_songs(tmp_path):
    """Files of the same names, and one more, with other samples."""
    songs = write_songs(tmp_path / "other songs", duration_s=1.0)
    write(songs / "jazz/more.wav", tone(1.5, 8_000, frequency_hz=999), 8_000)
    return songs


def test_the_second_of_two_builds_is_told_who_is_at_work(built, songs_folder, other_songs, tmp_path):
    output = str(tmp_path / "out")

    def meanwhile(songs):
        with pytest.raises(
            BusyError, match=r"^\S+: a build by \S+ \(process \d+\) has been at work here since"
        ) as busy:
            build(config_of(other_songs), output, no_pipeline)
        assert busy.value.exit_code == 3 and "\n" not in str(busy.value)
        return in_process()(songs)

    assert build(config_of(songs_folder), output, meanwhile).is_new
    assert published(output) == published(built.dataset.url)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (ReadPart, "process"),
        pytest.param(AssembleShard, "process", marks=pytest.mark.slow),
        pytest.param(publish, "describe", marks=pytest.mark.slow),
        (versions, "commit"),
    ],
)
def test_of_two_builds_without_a_lease_one_publishes(
    built, songs_folder, other_songs, tmp_path, monkeypatch, owner, name
):
    """The second takes over a lease that has expired, and is faster."""
    output, function, seconds = tmp_path / "out", getattr(owner, name), []

    def overtaken(*arguments):
        if not seconds:
            seconds.append(None)
            seconds[:] = [build(config_of(songs_folder), str(output), in_process())]
        return function(*arguments)

    monkeypatch.setattr(owner, name, overtaken)
    monkeypatch.setattr(lease, "EXPIRES_AFTER", timedelta(seconds=-1))
    with pytest.raises(SpectroshardError, match=r"superseded: version 1 was published while this build was at") as lost:
        build(config_of(other_songs), str(output), in_process())
    assert seconds[0].is_new
    assert lost.value.exit_code == 1 and len(str(lost.value)) < 600 and "\n" not in str(lost.value)
    published_now = published(output)
    assert published(built.dataset.url).items() <= published_now.items()
    assert versions.numbers(str(output)) == [1]
    monkeypatch.undo()
    check_version(versions.newest(str(output)), songs_folder)
