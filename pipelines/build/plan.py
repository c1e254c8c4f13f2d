"""The plan: every file read once, then compared, grouped, assigned to folds and given a shard."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.build.read_files import read
from pipelines.common import storage
from pipelines.common.beam.runners import NewPipeline
from pipelines.common.section import digest
from pipelines.config import BuildConfig
from pipelines.copies.best_copy import mark_duplicates
from pipelines.copies.search import find_copies
from pipelines.corpus.song_names import with_songs_of_segments
from pipelines.dataset import ledger
from pipelines.dataset.ledger import Copy, Entry, File
from pipelines.split import history
from pipelines.split.folds import deal, judge
from pipelines.split.groups import with_groups
from pipelines.split.shards import with_shards


@dataclass(frozen=True)
class Plan:
    """What a build is to do.

    Attributes
    ----------
    files : list of File
        Its ledger, but for what writing may still reject.
    copies : list of Copy
        The near copies among its recordings and those of earlier builds, by content hash.
    earlier : list of File
        What earlier builds had in a fold.
    """

    files: list[File]
    copies: list[Copy]
    earlier: list[File]

    @property
    def digest(self) -> str:
        """Of which files, with which content, are to be in which shard, wherever they lie, and of what is to be
        remembered of earlier builds."""
        members = [(f.shard, f.path, f.genre, f.group, f.content_hash) for f in ledger.written(self.files)]
        return digest([sorted(members), history.digest_of(history.forgotten(self.earlier, self.files))])


def plan(
    entries: Sequence[Entry],
    earlier: list[File],
    config: BuildConfig,
    folder: str,
    new_pipeline: NewPipeline,
) -> Plan:
    """Reads a corpus, and plans its build.

    Parameters
    ----------
    entries : sequence of Entry
        The corpus.
    earlier : sequence of File
        What earlier builds had in a fold.
    config : BuildConfig
    folder : str
        Where the build keeps its tasks and results.
    new_pipeline : callable
        Gives an empty pipeline.
    """
    files = read(entries, config, folder, new_pipeline)
    copies = compare([*files, *earlier], storage.join(folder, "copies"), new_pipeline)
    return Plan(assign(files, earlier, copies, config), copies, earlier)


def compare(files: Sequence[File], folder: str, new_pipeline: NewPipeline) -> list[Copy]:
    """The near copies among files by their fingerprints, by content hash; `folder` is removed first and last."""
    fingerprints = {file.content_hash: file.fingerprint for file in files if file.fingerprint}
    return find_copies(fingerprints, folder, new_pipeline)


def assign(files: Sequence[File], earlier: Sequence[File], copies: Sequence[Copy], config: BuildConfig) -> list[File]:
    """Files that were read, with their groups, folds and shards, and of what they are copies.

    Parameters
    ----------
    files : sequence of File
    earlier : sequence of File
        What earlier builds had in a fold.
    copies : sequence of Copy
        By content hash, of both.
    config : BuildConfig
    """
    everything = [*with_songs_of_segments(files), *history.without_outdated_fields(earlier, files)]
    grouped = with_groups(everything, config.folds.group_by, copies)
    now, before = grouped[: len(files)], grouped[len(files) :]
    judged, fold_of = judge(now, config.folds, before, history.earlier_folds(now, before, copies))
    # Before folds are assigned, where only what will be written weighs.
    best = mark_duplicates(judged, copies, config.folds.copies == "drop")
    return with_shards(deal(best, fold_of, config.folds), config)
