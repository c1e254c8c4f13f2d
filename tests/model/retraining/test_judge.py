"""Judging: on which songs, among which genres; all with one trained bundle in several guises."""

from dataclasses import replace
from pathlib import Path

import pytest

from model.inference.bundle import Bundle
from model.inference.trained_songs import TrainedSongs
from model.retraining import registry
from model.retraining.judge import compare
from tests.model.evaluation.test_evaluate import later


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return str(tmp_path_factory.mktemp("judged") / "registry")


@pytest.fixture(scope="module", autouse=True)
def one_network(bundle):
    """All guises have the same network, which is loaded once."""
    network = bundle.network()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bundle, "network", lambda self: network)
        yield


@pytest.fixture(scope="module")
def challenger(url, bundle):
    return registry.load(url, registry.add(url, bundle, 1))


def disguised(url, bundle, number, **changed):
    """The same network, in a registry, with a manifest that says something else."""
    other = bundle.model_copy(update=changed)
    there = registry.bundle_url(url, registry.version_of(other.content(), number))
    for file in Path(bundle.url).glob("*.*"):
        Path(there).mkdir(parents=True, exist_ok=True)
        Path(there, file.name).write_bytes(file.read_bytes())
    found = other.model_copy(update={"url": there})
    found.save()
    return found


def test_a_bundle_is_as_good_as_itself(challenger, dataset, tmp_path):
    found = compare(challenger, challenger, dataset, str(tmp_path))
    assert (found.songs, found.groups, found.test_songs, found.seen, found.unknown_genre) == (6, 6, 6, 0, 0)
    assert found.champion.model_dump(exclude={"seconds_per_song"}) == found.challenger.model_dump(
        exclude={"seconds_per_song"}
    )
    assert (found.paired.gain, found.paired.interval, found.paired.p_value) == (0, (0, 0), 1)
    assert found.challenger.bundle == registry.name_of(challenger) and found.challenger.size_bytes > 100_000
    assert found.challenger.training_seconds > 0 and found.genres == dataset.genres and not found.not_judged
    assert found.alone is None


def test_what_the_champion_was_trained_on_is_left_out_for_both(url, challenger, bundle, dataset, tmp_path):
    champion = disguised(url, bundle, 2)
    file = TrainedSongs.write(champion.url, dataset, {"train": ("fold-00",), "validation": ()})
    champion = champion.model_copy(update={"trained": (file,)})
    found = compare(challenger, champion, dataset, str(tmp_path))
    assert (found.songs, found.seen, found.challenger, found.paired) == (0, 6, None, None)
    assert found.not_judged == "no test song is left that neither has seen, of 6"


def test_what_shares_a_group_with_what_the_champion_was_trained_on_is_left_out(
    url, challenger, bundle, dataset, tmp_path
):
    rows = dataset.ledger()
    test = [row for row in rows if row.fold == "fold-00"]
    gone = next(row for row in rows if row.fold == "fold-01")
    champion = disguised(url, bundle, 3, splits={**bundle.splits})
    # A song that the champion alone was trained on has left since: the history knows its group.
    history = [replace(gone, group="an artist", fold="fold-01")]
    changed = [replace(row, group="an artist") if row in test[:2] else row for row in rows if row.path != gone.path]
    version = later(dataset, tmp_path / "d", changed, history)
    alone = challenger.model_copy(update={"trained": ()})
    assert compare(alone, None, version, str(tmp_path)).songs == 6
    found = compare(alone, champion, version, str(tmp_path))
    assert (found.songs, found.seen, found.test_songs) == (4, 2, 6)
    assert {genre: of.songs for genre, of in found.champion.per_genre.items()} == {
        genre: of.songs for genre, of in found.challenger.per_genre.items()
    }


def test_other_genres_are_judged_among_the_common_ones(url, challenger, bundle, dataset, tmp_path):
    champion = disguised(url, bundle, 4, genres=("ambient", "metal", "polka"))
    found = compare(challenger, champion, dataset, str(tmp_path))
    assert found.genres == ("ambient", "metal") and found.other_genres == ("polka", "techno")
    assert (found.songs, found.unknown_genre) == (4, 2) and set(found.challenger.per_genre) == {"ambient", "metal"}
    assert {genre: of.songs for genre, of in found.alone.per_genre.items()} == dict.fromkeys(dataset.genres, 2)
    strange = disguised(url, bundle, 5, genres=("metal", "polka", "ska"))
    found = compare(challenger, strange, dataset, str(tmp_path))
    assert found.challenger is None and found.not_judged.startswith("both know only metal in common")


def test_a_champion_of_another_dataset_cannot_be_judged(url, challenger, bundle, dataset, tmp_path):
    champion = disguised(url, bundle, 6, dataset="0" * 64)
    found = compare(challenger, champion, dataset, str(tmp_path))
    assert "was trained on another dataset (digest 000000000000)" in found.not_judged
    assert found.champion is None and found.paired is None and found.challenger is not None
