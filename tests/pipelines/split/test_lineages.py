"""Thirty versions of a dataset, one after the other: songs arrive, leave and come back, are renamed, relabelled and
copied, and the folds are counted anew and grouped more strictly. What was in test never comes to train."""

import random
from collections import defaultdict
from dataclasses import replace

import pytest

from pipelines.config import SPLITS, BuildConfig, FoldsConfig
from pipelines.dataset.ledger import WRITTEN, Copy, File, record_id
from pipelines.dataset.splits import split_of
from pipelines.split import history
from pipelines.split.assign import assign

VERSIONS, SONGS = 30, 40


class Corpus:
    """A corpus that somebody works on."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.number = 0
        self.here: dict[str, File] = {}
        self.gone: list[File] = []
        self.contents: list[str] = []
        self.copies: list[Copy] = []

    def change(self):
        for _ in range(SONGS if not self.here else self.rng.randrange(10)):
            self.arrive(f"c{len(self.contents)}")
        for _ in range(self.rng.randrange(6)):
            path = self.rng.choice(sorted(self.here))
            getattr(self, self.rng.choice(["leave", "rename", "relabel", "copy", "same", "tell_copy"]))(path)
        for file in self.rng.sample(self.gone, len(self.gone) // 4):
            self.gone.remove(file)
            self.here[self.new_path()] = file
        return [replace(file, path=path, uri=path) for path, file in sorted(self.here.items())]

    def arrive(self, content, **facts):
        self.contents.append(content)
        artist = self.rng.choice(["", *(f"artist {n}" for n in range(12))])
        values = {"genre": self.rng.choice("gh"), "artist": artist, "duration_s": 30.0, "content_hash": content}
        self.here[self.new_path()] = File("", "", **values | facts)

    def new_path(self):
        self.number += 1
        return f"{self.rng.choice('xyz')} {self.number} song"

    def leave(self, path):
        self.gone.append(self.here.pop(path))

    def rename(self, path):
        self.here[self.new_path()] = self.here.pop(path)

    def relabel(self, path):
        self.here[path] = replace(
            self.here[path], genre=self.rng.choice("gh"), artist=self.rng.choice(["", "artist 3"])
        )

    def same(self, path):
        self.arrive(self.here[path].content_hash, genre=self.rng.choice("gh"))

    def copy(self, path):
        self.arrive(f"c{len(self.contents)}")
        self.tell_copy(path, self.contents[-1])

    def tell_copy(self, path, content=""):
        pair = sorted({self.here[path].content_hash, content or self.rng.choice(self.contents)})
        if len(pair) == 2:
            self.copies.append(Copy(*pair, 0.0, 0.0, 29.0, 1.0, 0.02))


def config_of(rng, before):
    """The same configuration mostly; or another number of folds, other ones of them test, artists that count."""
    count = rng.choice([4, 6, 7]) if rng.random() < 0.2 else before.count
    test, validation = rng.sample(range(count), 2) if count != before.count else (*before.test, *before.validation)
    group_by = "artist" if rng.random() < 0.1 else before.group_by
    return FoldsConfig(count=count, test=(test,), validation=(validation,), group_by=group_by, copies=before.copies)


def partners(copies):
    """What each content is a copy of, directly or through others."""
    same = {}
    for copy in copies:
        joined = same.get(copy.first, {copy.first}) | same.get(copy.second, {copy.second})
        same |= dict.fromkeys(joined, joined)
    return same


@pytest.mark.parametrize("copies", ["keep", "drop"])
@pytest.mark.parametrize("seed", range(4))
def test_what_was_in_test_is_never_in_train(seed, copies):
    corpus, rng = Corpus(seed), random.Random(1000 + seed)
    before = now = FoldsConfig(count=4, group_by="song", copies=copies)
    earlier: list[File] = []
    splits: dict[str, str] = {}  # of every content that ever had one
    for _ in range(VERSIONS):
        files, before, now = corpus.change(), now, config_of(rng, now) if earlier else now
        rows = assign(files, earlier, corpus.copies, BuildConfig(folds=now), before)
        assert [row.path for row in rows] == [file.path for file in files]
        check_version(rows, earlier, before, now)
        same = partners(corpus.copies)
        for row in rows:
            if row.fold:
                split = split_of(row.fold, now)
                assert splits.setdefault(row.content_hash, split) == split
                known = {splits[other] for other in same.get(row.content_hash, ()) if other in splits}
                assert SPLITS.index(split) >= max(map(SPLITS.index, known), default=0)
        remembered = history.forgotten(earlier, rows, before, now)
        with_fold = {row.content_hash for row in rows if row.fold}
        assert with_fold | {row.content_hash for row in remembered} == splits.keys()
        assert all(split_of(row.fold, now) == splits[row.content_hash] for row in remembered)
        assert not with_fold & {row.content_hash for row in remembered}
        earlier = [*(row for row in rows if row.fold), *remembered]
    assert set(splits.values()) == set(SPLITS)


def check_version(rows, earlier, before, now):
    """Within a version: each record once, each group in one fold; nothing leaves its fold without a cause."""
    names = {f"fold-{number:02d}" for number in range(now.count)}
    records, folds = defaultdict(list), defaultdict(set)
    for row in rows:
        if row.fold:
            assert row.fold in names and row.record == record_id(row.content_hash, row.genre)
            folds[row.group].add(row.fold)
            if row.status == WRITTEN:
                records[row.record].append(row)
        else:
            assert row.reason in ("withdrawn", "lone_genre")
    assert all(len(some) == 1 for some in [*records.values(), *folds.values()])
    if (before.count, before.group_by) == (now.count, now.group_by):
        fold_then = {row.content_hash: row.fold for row in earlier if row.fold in names}
        assert all(row.fold == fold_then.get(row.content_hash, row.fold) for row in rows if row.fold)
