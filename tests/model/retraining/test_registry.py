import json
import shutil
from pathlib import Path

import pytest

from model.inference.bundle import Bundle
from model.retraining import journal, manage, registry
from pipelines.common import lease, storage
from pipelines.common.errors import BusyError, SpectroshardError, UsageError
from tests.model.retraining.made import add_entry, decided, scores, verdict_entry

GOOD = decided(scores(jazz=range(9), polka=range(9), rock=range(9)))
BAD = decided(scores(jazz=range(2), polka=range(2), rock=range(2)))


@pytest.fixture
def url(tmp_path):
    return str(tmp_path / "registry")


@pytest.fixture
def three(url, bundle):
    """A registry with the same bundle as trained on three versions: two that became champions, and one that did not."""
    names = [registry.add(url, bundle, version) for version in (1, 2, 3)]
    add_entry(url, verdict_entry(names[0], names[0], GOOD))
    add_entry(url, verdict_entry(names[1], names[1], GOOD))
    add_entry(url, verdict_entry(names[2], names[1], BAD))
    return names


def test_a_bundle_is_added_once_and_named_by_its_content(url, bundle):
    version = registry.add(url, bundle, 7)
    at = Path(registry.bundle_url(url, version))
    assert (
        version == registry.version_of(Path(bundle.url, "bundle.json").read_bytes(), 7)
        and Bundle.load(str(at)).digest == bundle.digest
    )
    changed = {path: path.stat().st_mtime_ns for path in at.iterdir()}
    assert registry.add(url, bundle, 7) == version
    assert {path: path.stat().st_mtime_ns for path in at.iterdir()} == changed
    assert registry.load(url, version).trained_contents() == bundle.trained_contents()


def test_the_newest_entry_says_who_is_champion(url, three):
    assert registry.champion(url) == three[1]
    assert registry.resolve(f"registry:{url}") == f"{url}/bundles/{three[1]}"
    assert json.loads(Path(url, "champion.json").read_text())["bundle"] == f"bundles/{three[1]}"
    assert registry.resolve("some/bundle") == "some/bundle"


def test_the_copy_is_mended_by_whoever_comes_next(url, three):
    Path(url, "champion.json").write_text("{}")
    registry.mend(url)
    assert three[1] in Path(url, "champion.json").read_text()


def test_entries_are_created_once(url):
    journal.append(url, lambda known: verdict_entry("000001-aaaaaaaaaaaa", "000001-aaaaaaaaaaaa"))
    asked = []

    def overtaken(known):
        if not asked:  # another process is faster, once
            journal.append(url, lambda _: verdict_entry("000002-bbbbbbbbbbbb", "000002-bbbbbbbbbbbb"))
        asked.append(len(known))
        return verdict_entry("000003-cccccccccccc", known[-1].champion)

    assert journal.append(url, overtaken).number == 3 and asked == [1, 2]
    assert [entry.champion[:6] for entry in journal.entries(url)] == ["000001", "000002", "000002"]


def test_an_entry_that_a_store_does_not_list_is_no_reason_to_try_for_ever(url, three, monkeypatch):
    known = journal.numbers(url)
    monkeypatch.setattr(journal, "numbers", lambda registry: known[:-1])
    with pytest.raises(SpectroshardError, match=r"000003.json: is there, and the store does not list it; try again"):
        journal.append(url, lambda _: verdict_entry("000004-dddddddddddd", ""))


@pytest.mark.parametrize("harm", [lambda text: text.replace("20.0%", "90.0%"), lambda text: text[: len(text) // 2]])
def test_a_damaged_entry_is_named_in_a_line(url, three, harm):
    at = Path(journal.entry_url(url, 3))
    at.write_text(harm(at.read_text()))
    with pytest.raises(SpectroshardError, match=r"000003.json: is damaged, or was edited") as error:
        registry.champion(url)
    assert "\n" not in str(error.value)


def test_an_entry_of_a_later_program_is_named(url):
    later = verdict_entry("000001-aaaaaaaaaaaa", "").model_copy(update={"format": 2})
    storage.write_bytes(journal.entry_url(url, 1), later.content())
    with pytest.raises(SpectroshardError, match=r"000001.json: is not what this version reads \(format"):
        registry.champion(url)


def test_no_registry_and_no_champion_are_told_apart(url):
    with pytest.raises(UsageError, match="no registry there"):
        registry.resolve(f"registry:{url}")
    add_entry(url, verdict_entry("000001-aaaaaaaaaaaa", "", BAD))
    with pytest.raises(UsageError, match="has no champion yet"):
        registry.resolve(f"registry:{url}")


def test_the_list_shows_each_bundle_and_names_what_is_wrong(url, three):
    Path(url, "bundles", "000004-dddddddddddd").mkdir()
    Path(url, "bundles", three[0], "bundle.json").write_text("{}")
    Path(url, "bundles", three[2], "model.keras").unlink()
    lines = manage.summarise(url).splitlines()
    assert [line.split()[-1] for line in lines[1:5]] == ["damaged", "champion", "damaged", "damaged"]
    assert lines[5].startswith(f"{url}/bundles/{three[0]}/bundle.json: is not what this version reads (training: ")
    assert lines[6].startswith(f"{url}/bundles/{three[2]}/model.keras: is missing")
    assert lines[7].startswith(f"{url}/bundles/000004-dddddddddddd: is half-written")


def test_a_champion_that_is_missing_is_said(url, three):
    shutil.rmtree(Path(url, "bundles", three[1]))
    assert f"{three[1]}: is missing, and is the champion; roll back" in manage.summarise(url)
    assert manage.roll_back(url, "it is gone").champion == three[0]


def test_a_bundle_is_promoted_by_its_verdict_or_by_force_with_a_reason(url, three):
    with pytest.raises(UsageError, match=r"is not to be promoted: .*All the same: --force --reason WHY"):
        manage.promote(url, three[2])
    with pytest.raises(UsageError, match="give a --reason too"):
        manage.promote(url, three[2], force=True)
    with pytest.raises(UsageError, match="is the champion already"):
        manage.promote(url, three[1])
    with pytest.raises(UsageError, match="no bundle '000009'; there are: 000001-"):
        manage.promote(url, "000009", force=True, reason="x")
    assert not manage.promote(url, three[0]).forced
    entry = manage.promote(url, three[2], force=True, reason="the label was wrong")
    assert entry.forced and entry.reason == "the label was wrong" and entry.by
    assert registry.champion(url) == three[2] and "the label was wrong" in manage.describe(url)
    assert "the label was wrong" in Path(url, "history.html").read_text()


def test_rolling_back_goes_to_the_champion_before_and_further(url, three):
    manage.promote(url, three[2], force=True, reason="try it")
    assert manage.roll_back(url, "complaints").champion == three[1]
    assert manage.roll_back(url, "more complaints").champion == three[0]
    with pytest.raises(UsageError, match="there is no champion before"):
        manage.roll_back(url, "still")
    with pytest.raises(UsageError, match="give a --reason"):
        manage.roll_back(url, " ")


def test_pruning_keeps_the_champion_and_the_one_before(url, three, bundle):
    newest = [registry.add(url, bundle, version) for version in (4, 5)]
    Path(url, "bundles", "000006-dddddddddddd").mkdir()
    Path(url, "bundles", "000006-dddddddddddd", "model.keras").write_text("half")
    told = manage.prune(url, 1, dry_run=True)
    assert (
        list(told.bundles) == [three[2], newest[0], "000006-dddddddddddd"] and told.bundles["000006-dddddddddddd"] == 4
    )
    assert len(list(registry.bundles(url))) == 6
    manage.prune(url, 1)
    assert [held.version for held in registry.bundles(url)] == [*three[:2], newest[1]]
    assert manage.roll_back(url, "as before").champion == three[0] and len(journal.entries(url)) == 4
    with pytest.raises(UsageError, match="expected at least 1"):
        manage.prune(url, 0)


def test_nothing_is_pruned_while_a_retraining_is_at_work_and_a_rollback_need_not_wait(url, three):
    with lease.held(f"{url}/runs/lease.json", "retraining"):
        with pytest.raises(BusyError, match=r"a retraining by .* has been at work here .*; wait for it"):
            manage.prune(url, 1)
        assert manage.roll_back(url, "complaints").champion == three[0]


def test_a_registry_in_memory_is_as_one_on_a_disk(bundle):
    url = "memory://music/registry"
    version = registry.add(url, bundle, 1)
    add_entry(url, verdict_entry(version, version, GOOD))
    assert registry.resolve(f"registry:{url}") == f"{url}/bundles/{version}"
    assert Bundle.load(registry.resolve(f"registry:{url}")).digest == bundle.digest
    storage.remove("memory://music")
