"""Completeness: a kind of evidence that is in the table is read, ties, is forgotten and is told wherever it must be."""

from dataclasses import replace
from typing import get_args

import pytest

from pipelines.audit import external_splits
from pipelines.audit.overlap_search import find_overlaps
from pipelines.audit.overlaps import describe_pair, in_split
from pipelines.config import FoldsConfig
from pipelines.corpus.forms import manifest
from pipelines.dataset.ledger import METADATA, Copy, File
from pipelines.split import evidence
from pipelines.split.evidence import BY_NAME, EVIDENCE, FINGERPRINT, Evidence, forbidden, ties
from pipelines.split.groups import with_groups
from pipelines.split.history import without_outdated_fields

OPTIONAL = [kind.name for kind in EVIDENCE if kind.is_optional]


def test_folds_group_by_offers_all_optional_evidence_and_nothing_else():
    assert set(get_args(FoldsConfig.model_fields["group_by"].annotation)) == {"song", *OPTIONAL}


def test_names_and_ties_are_distinct():
    assert len(BY_NAME) == len(EVIDENCE)
    prefixes = [kind.tie for kind in EVIDENCE if kind.tie]
    assert len(set(prefixes)) == len(prefixes) and "file" not in prefixes


def test_every_kind_that_is_declared_is_in_the_table():
    assert {value for value in vars(evidence).values() if isinstance(value, Evidence)} == set(EVIDENCE)


def test_the_fields_that_are_marked_as_metadata_are_the_table_s():
    assert sorted(METADATA) == sorted(kind.name for kind in EVIDENCE if kind.source == "metadata")


FACTS = {"audio": {"content_hash": "x", "fingerprint": b"1234"}, "groups": {"group": "g"}}


@pytest.mark.parametrize("kind", EVIDENCE, ids=lambda kind: kind.name)
def test_evidence_comes_from_where_the_table_says(kind):
    assert kind.key(File("", "", **FACTS.get(kind.source, {kind.name: "Xy"})))
    assert not kind.key(File("a.wav", "/a.wav", "blues"))


@pytest.mark.parametrize("name", METADATA)
def test_metadata_is_a_column_of_manifests(tmp_path, name):
    (tmp_path / "m.csv").write_text(f"path,genre,split,{name}\na.wav,blues,train,Xy\nb.wav,blues,test,Xy\n")
    url = str(tmp_path / "m.csv")
    external = external_splits.list_split([url]).entries
    for entry in [*manifest.entries(url, ""), *external["train"], *external["test"]]:
        assert getattr(entry.file, name) == "Xy" and BY_NAME[name].key(entry.file)


@pytest.mark.parametrize("name", METADATA)
def test_metadata_ties_and_may_not_be_shared_where_group_by_says_so(name):
    files = [File("a.wav", "", **{name: "Xy"}), File("b.wav", "", **{name: "Xy"}), File("c.wav", "")]
    for group_by in get_args(FoldsConfig.model_fields["group_by"].annotation):
        counts = not BY_NAME[name].is_optional or group_by == name
        first, second, other = (file.group for file in with_groups(files, group_by))
        assert (first == second) == counts and first != other
        assert (name in forbidden(group_by)) == counts


@pytest.mark.parametrize("group_by", ["song", *OPTIONAL])
def test_what_an_earlier_build_was_told_ties_nothing_where_its_audio_is_still_there(group_by):
    earlier = File("a.wav", "", content_hash="x", **dict.fromkeys(METADATA, "Xy"))
    (row,) = without_outdated_fields([earlier], [File("b.wav", "", content_hash="x")])
    assert ties(row, group_by) == ["content:x"]
    assert list(without_outdated_fields([earlier], [])) == [replace(earlier, path="")]


@pytest.mark.parametrize("kind", EVIDENCE, ids=lambda kind: kind.name)
def test_what_two_files_share_is_found_and_told(kind):
    facts = dict.fromkeys([*METADATA, "content_hash", "group"], "Xy") | {"fingerprint": b"1234"}
    assert kind.key(File("", "", **facts)) and not kind.key(File("", ""))
    first, second = (File(path, "", **facts) for path in ("a.wav", "b.wav"))
    if kind is FINGERPRINT:
        second = replace(second, content_hash="Zz")
    copies = [Copy("Xy", "Zz", 0.0, 0.0, 30.0, 1.0, 0.02)]
    overlaps = find_overlaps([in_split(first, "test"), in_split(second, "train")], copies, [kind.name])
    assert overlaps.leaks == {("test", "train"): 1}
    assert kind.sentence(first, second) in describe_pair(overlaps.listed[0])
