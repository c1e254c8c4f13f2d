"""The whole program, from WAV files to a dataset: against the script that people write, and by one worker and two."""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from pipelines.build.build import build
from pipelines.build.steps.assemble import Totals
from pipelines.build.steps.make_record import Recipe, make_record
from pipelines.common import checksum, parquet
from pipelines.common.beam.runners import NewPipeline, new_pipelines
from pipelines.config import BuildConfig
from pipelines.copies import search
from pipelines.corpus import listing
from pipelines.dataset import ledger, tfrecord
from pipelines.dataset.ledger import Copy, File
from pipelines.dataset.readings import Fingerprint, with_reading
from pipelines.dataset.records import StoredRecord
from pipelines.split.assign import assign
from pipelines.split.shards import allot
from tests.benchmarks.clips import Clips
from tests.benchmarks.contests import Row, faster, in_turn, longer, timed
from tests.benchmarks.features import NINE, Arrays, naive_log_mel, naive_nine

IMAGE = (288, 432)

# As many as take some seconds: what a build does once, whatever its size, weighs in a corpus of a few clips alone.
_BUILT_NINE, _SCRIPTED_NINE = 200, 5
_BUILT_LOG_MEL, _SCRIPTED_LOG_MEL = 400, 40
_LOOPED, _SHARED = 500, 1_000


def config(folder: Path, features: Sequence[str]) -> BuildConfig:
    """A build's configuration, all default but for the features."""
    return BuildConfig.model_validate({"corpus": {"input": str(folder)}, "features": {name: {} for name in features}})


def build_anew(folder: Path, features: Sequence[str], new_pipeline: NewPipeline) -> None:
    """Builds a dataset of a folder, and throws it away."""
    with tempfile.TemporaryDirectory() as output:
        build(config(folder, features), output, new_pipeline)


def script(paths: Sequence[Path], compute: Callable[..., Arrays], is_resized: bool = True) -> None:
    """As people write it: librosa, each feature resized to a picture by `tf.image.resize`, a float list, a writer."""
    import librosa
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder, tf.io.TFRecordWriter(f"{folder}/songs.tfrecord") as writer:
        for path in paths:
            y, sr = librosa.load(path)
            pictures = [feature.T[..., np.newaxis] for feature in compute(y, sr).values()]
            if is_resized:
                pictures = [tf.image.resize(picture, IMAGE).numpy() for picture in pictures]
            values = np.concatenate([picture.ravel() for picture in pictures])
            entries = {
                "spectrogram": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
                "genre": tf.train.Feature(bytes_list=tf.train.BytesList(value=[path.parent.name.encode()])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=entries))
            writer.write(example.SerializeToString())


def nine(clips: Clips) -> list[Row]:
    """WAV files to TFRecords of nine features."""
    return [_against_script(clips, "nine features", NINE, naive_nine, _BUILT_NINE, _SCRIPTED_NINE, 42)]


def log_mel(clips: Clips) -> list[Row]:
    """WAV files to TFRecords of log-mel."""
    return [_against_script(clips, "log-mel", ["log_mel"], naive_log_mel, _BUILT_LOG_MEL, _SCRIPTED_LOG_MEL, 3.5)]


def _against_script(
    clips: Clips,
    what: str,
    features: Sequence[str],
    compute: Callable[..., Arrays],
    built: int,
    scripted: int,
    at_least: float,
) -> Row:
    folder = clips.many(built)
    paths = sorted(folder.rglob("*.wav"))
    some = paths[:: len(paths) // scripted]
    sides = {
        "ours": timed(partial(build_anew, folder, features, new_pipelines([], 1)), len(paths)),
        "reference": timed(partial(script, some, compute), len(some)),
        "unresized": timed(partial(script, some, compute, is_resized=False), len(some)),
    }
    seconds = in_turn(sides)
    return faster(
        f"WAV to TFRecord, {what}, whole program, a clip of {built}",
        f"librosa, `tf.image.resize` to {IMAGE[0]} x {IMAGE[1]}, float list, `TFRecordWriter`",
        seconds,
        at_least=at_least,
        note=f"ours keeps every frame and bin, and fingerprints; against the script without resizing"
        f" {seconds['unresized'] / seconds['ours']:.3g}x",
    )


def build_by_loop(folder: Path, features: Sequence[str]) -> Path:
    """What a build does, in one process and without Beam, children, staging or versions; gives the shards' folder.

    Records are made one after another, copies looked for, groups and folds dealt, and the records copied to shards.
    """
    asked, output = config(folder, features), Path(tempfile.mkdtemp())
    recipe, files, fingerprints, made_at = Recipe.of(asked), [], {}, {}
    for number, entry in enumerate(listing.list_files(asked.corpus)):
        path = output / f"{number}.record"
        made = make_record(entry.location, entry.file.genre, recipe, path)
        files.append(with_reading(entry.file, made.reading, asked.corpus.artist_tags))
        fingerprints[made.reading.content_hash], made_at[files[-1].path] = made.fingerprint, path
    copies = _find_copies_by_loop(fingerprints, str(output / "copies"))
    planned = allot(assign(files, [], copies, asked, None), [], {}, asked)
    members: dict[str, list[File]] = defaultdict(list)
    for file in ledger.written(planned):
        members[file.shard].append(file)
    for shard in members.values():
        _assemble([made_at[file.path] for file in sorted(shard, key=lambda file: file.record)], output)
    parquet.write(str(output / "songs.parquet"), File, planned)
    return output


def _find_copies_by_loop(fingerprints: Mapping[str, bytes], folder: str) -> list[Copy]:
    """The search's own steps, of which one follows the other."""
    table = f"{folder}/fingerprints.parquet"
    parquet.write(table, Fingerprint, (Fingerprint(name, fingerprints[name]) for name in sorted(fingerprints)))
    search.Comparison((), (table,)).save(folder)
    search._lay_out(folder)
    spans = defaultdict(list)
    for _, partition in search._partitions(folder):
        for block, span in search._write_hits(folder, partition):
            spans[block].append(span)
    for block, of_block in spans.items():
        search._write_found(block, of_block)
    search._merge(folder)
    return parquet.read(f"{folder}/{search.COPIES_NAME}", Copy)


def _assemble(records: Sequence[Path], folder: Path) -> None:
    """Writes a shard of some records, named by its content; their sums are added up."""
    sums = Totals()
    with checksum.HashedFile(folder / "shard") as sink:
        for path in records:
            framed = path.read_bytes()
            sums.add(StoredRecord(tfrecord.content_of(framed)))
            sink.write(framed)
    sums.of_features()
    (folder / "shard").rename(folder / f"{sink.sha256[:16]}.tfrecord")


def beam_against_a_loop(clips: Clips, count: int = _LOOPED) -> list[Row]:
    """One worker's pipeline against the same work in a for loop."""
    folder = clips.many(count)
    sides = {
        "ours": timed(partial(build_anew, folder, ["log_mel"], new_pipelines([], 1)), count),
        "reference": timed(lambda: shutil.rmtree(build_by_loop(folder, ["log_mel"])), count),
    }
    measured = f"Beam, one worker, {count} clips to log-mel, a clip"
    return [longer(measured, "a for loop that does the same work in one process", in_turn(sides), at_most=1.07)]


def two_workers(clips: Clips) -> list[Row]:
    """Two workers against one."""
    folder = clips.many(_SHARED)
    sides = {
        name: timed(partial(build_anew, folder, ["log_mel"], new_pipelines([], workers)), _SHARED)
        for name, workers in {"ours": 2, "reference": 1}.items()
    }
    return [faster(f"two workers, {_SHARED:,} clips to log-mel, a clip", "one worker", in_turn(sides), at_least=1.6)]
