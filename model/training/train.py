"""Training: from a dataset and a configuration to a bundle. A training that was killed resumes at its epoch."""

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from model.config import Config
from model.data import batches, shards
from model.data.workers import ALONE, Workers
from model.inference.bundle import HISTORY_NAME, MODEL_NAME, Bundle
from model.inference.calibration import Calibration
from model.inference.classify import score_files
from model.inference.trained_songs import TrainedSongs
from model.networks import assembly, registry
from model.training import optimizer, out_of_distribution, rejection, transfer_head, warm_start
from model.training.averaging import AverageStatistics, Averaging
from model.training.checkpoints import LEASE_NAME, WORK_NAME, Epochs, is_finished
from model.training.numerics import Numerics
from model.training.run import Run
from pipelines.audit import audit
from pipelines.common import lease, output_folder, storage
from pipelines.common.errors import SpectroshardError, UsageError
from pipelines.dataset.check import in_a_line
from pipelines.dataset.dataset import Dataset


def train(
    config: Config,
    dataset: Dataset,
    output: str,
    splits: Mapping[str, Sequence[str]] | None = None,
    start: Bundle | None = None,
) -> Bundle:
    """Trains a network.

    Parameters
    ----------
    config : Config
        Its `training`, and of its `folds` which are test and validation.
    dataset : Dataset
    output : str
        The bundle's folder, by path or fsspec URL: new, or left by this very training when it was stopped. Where the
        training is finished already, its bundle is returned as it is.
    splits : dict
        The folds of `train`, `validation` and `test`. Default: those of the configuration.
    start : Bundle
        Whose weights the training begins with; the songs that it was trained on count as the new bundle's. Default: it
        begins with random ones.

    Returns
    -------
    Bundle
        With the weights of `Epochs.kept`.

    Raises
    ------
    UsageError
        The dataset lacks a feature or the songs of a split, or the output holds something else.
    BusyError
        Another training is at work on the output.
    SpectroshardError
        The splits share songs, and `training.allow_leaks` is not set; the dataset is damaged or forged; the network
        cannot take windows of any length; or a file of the finished bundle is missing or damaged.
    """
    chosen = splits or dataset.splits(config.folds)
    run = Run(config.training, dataset, {name: tuple(folds) for name, folds in chosen.items()}, start)
    if _is_finished(output):
        return _finished(output, run)
    _refuse_leaks(run)
    output_folder.refuse_other_files(output, "training", work=WORK_NAME)
    workers = Workers.of_environment()
    shards.Shards(dataset, run.splits["train"], workers)  # fails at once where there are no songs
    workers.own_batch_size(run.training.batch_size)
    _refuse_one_genre(run)
    _refuse_other_start(run)
    averaging = Averaging(workers) if workers.count > 1 else None
    front_end = registry.build_front_end(run.training.network, dataset, run.windows)
    _say(f"build the network {run.training.network}; its first epoch takes longer")
    _averaged(_build(run), run)  # fails at once where it would after the last epoch
    if averaging and not workers.is_chief:
        return _train_along(run, output, averaging)
    with lease.held(storage.join(output, LEASE_NAME), "training"):
        # Another may have finished it meanwhile.
        bundle = _finished(output, run) if _is_finished(output) else _train(run, front_end, output, averaging)
    storage.remove(storage.join(output, WORK_NAME))
    return bundle


def _train_along(run: Run, output: str, averaging: Averaging) -> Bundle:
    """The training of a worker that is not the chief, whose bundle it gives."""
    _fitted(run, output, averaging)
    averaging.wait()
    return Bundle.load(output)


def _train(run: Run, front_end: Any | None, output: str, averaging: Averaging | None) -> Bundle:
    trainable, epochs = _fitted(run, output, averaging)
    epochs.restore(trainable, epochs.kept)
    _say("fit the rejection layer and the calibration")
    if run.training.average_momentum:
        trainable.optimizer.finalize_variable_values(trainable.trainable_variables)
    bundle = _publish(_assembled(trainable, run, front_end), run, epochs)
    if averaging:
        averaging.wait()
    return bundle


def _fitted(run: Run, output: str, averaging: Averaging | None) -> tuple[Any, Epochs]:
    """The branches after their last epoch, and what the epochs gave."""
    # Not 0: with a global seed of 0, TensorFlow cannot shuffle by a seed that is a tensor.
    keras.utils.set_random_seed(run.training.seed + 1)
    trainable = compiled(run, averaging)
    epochs = Epochs.begin(output, run.training, run.digest, saves=averaging is None or averaging.workers.is_chief)
    if averaging:
        averaging.refuse_difference("epochs that are done", len(epochs.rows))
    if epochs.rows:
        epochs.restore(trainable, epochs.rows[-1])
    elif run.start is not None:
        warm_start.begin_with(trainable, run.start)
    if not is_finished(epochs.rows, run.training):
        _fit(trainable, run, epochs, averaging)
    return trainable, epochs


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _is_finished(output: str) -> bool:
    return Bundle.json_name() in storage.names(output)


def _finished(output: str, run: Run) -> Bundle:
    bundle = Bundle.load(output)
    differences = run.training.differences(bundle.training.decisive_values())
    if differences or (bundle.dataset, bundle.splits) != (run.dataset.digest, run.splits):
        raise UsageError(
            f"{output}: holds a bundle of another dataset or configuration{differences and f' ({differences})'};"
            " it stays as it is: give a new --output"
        )
    bundle.check_files()
    storage.remove(storage.join(output, WORK_NAME))  # left behind if it was killed before it was removed
    return bundle


def _refuse_leaks(run: Run) -> None:
    found = audit.of_dataset(run.dataset, run.splits)
    if found.faults:
        raise SpectroshardError(f"{run.dataset.name}: {in_a_line(found.faults)}")
    if found.fails and not run.training.allow_leaks:
        raise SpectroshardError(
            f"{run.dataset.name}: {found.conclusion}; spectroshard audit shows the pairs. Build it again,"
            " or train all the same with training.allow_leaks=true"
        )


def _refuse_one_genre(run: Run) -> None:
    genres = [genre for genre, songs in run.dataset.songs_of(run.splits["train"]).items() if songs]
    if len(genres) == 1:
        raise UsageError(
            f"{run.dataset.name}: all songs of train are of the genre {genres[0]!r}; training needs two or more"
        )


def _refuse_other_start(run: Run) -> None:
    if run.start is not None and (why := warm_start.mismatch(run, run.start)):
        raise UsageError(f"{run.start.url}: a training cannot begin with its weights: {why}")


def compiled(run: Run, averaging: Averaging | None = None) -> Any:
    """The branches of a run's network, ready to be trained for all of its epochs."""
    numerics, steps = Numerics.of_this_machine(), run.training.epochs * run.steps
    with numerics.building():
        trainable = _build(run)
    rate = run.training.learning_rate
    optimizer.compile_for(trainable, steps, rate, run.training, jit_compile=numerics.jit_compile, averaging=averaging)
    return trainable


def _build(run: Run) -> Any:
    return registry.build(run.training.network, run.branch_windows.shapes, len(run.dataset.genres))


def _fit(model: Any, run: Run, epochs: Epochs, averaging: Averaging | None) -> None:
    dataset, splits, training, first = run.dataset, run.splits, run.training, len(epochs.rows)
    if training.patience and not run.has_validation_songs:
        _say("training.patience: no validation songs, so all epochs are trained")
    workers = averaging.workers if averaging else ALONE
    drawn = batches.training_batches(dataset, splits["train"], run.branch_windows, training, first, workers)
    with _log_folder(epochs.output) as logs, averaging.telling() if averaging else contextlib.nullcontext():
        model.fit(
            drawn,
            initial_epoch=first,
            epochs=training.epochs,
            steps_per_epoch=run.steps,
            validation_data=batches.validation_batches(dataset, splits["validation"], run.branch_windows, training)
            if run.has_validation_songs
            else None,
            callbacks=[
                *([AverageStatistics(averaging)] if averaging else []),
                epochs,
                *([keras.callbacks.TensorBoard(str(logs), profile_batch=0)] if workers.is_chief else []),
            ],
            shuffle=False,  # the stream is shuffled
            verbose=0,
        )


@contextlib.contextmanager
def _log_folder(output: str) -> Iterator[Path]:
    """Where TensorBoard's logs go: the bundle's folder; where that is remote, a folder that is uploaded in the end."""
    url = storage.join(output, "logs")
    if storage.is_local(output):
        yield Path(storage.filesystem(url)[1])
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        for path in sorted(each for each in Path(folder).rglob("*") if each.is_file()):
            storage.write_bytes(storage.join(url, str(path.relative_to(folder))), path.read_bytes())


def _assembled(trainable: Any, run: Run, front_end: Any | None) -> Any:
    """The model of a bundle: averaged over tempos, with the transfer head if there is one, and with rejection."""
    branches, train_folds = _build(run), run.splits["train"]
    branches.set_weights(trainable.get_weights())  # in float32, in whichever precision they were trained
    model = _averaged(branches, run)
    if front_end is not None:
        windows = run.windows.only(front_end.input)
        head = transfer_head.train_head(front_end, run.dataset, train_folds, windows, run.training)
        model = assembly.side_by_side(model, assembly.with_embedding(head))
    in_distribution = batches.middle_windows(run.dataset, train_folds, run.windows)
    return rejection.with_rejection(model, in_distribution, out_of_distribution.batches(run.dataset, run.windows))


def _averaged(trainable: Any, run: Run) -> Any:
    """The trained branches, averaged over tempos, with their embedding."""
    model = assembly.with_embedding(registry.for_any_length(trainable))
    return assembly.averaged_over_tempos(model, run.branch_windows.shapes, run.training.tempo)


def _publish(model: Any, run: Run, epochs: Epochs) -> Bundle:
    output, files = epochs.output, {MODEL_NAME: _saved(model), HISTORY_NAME: epochs.history()}
    for name, content in files.items():
        storage.write_bytes(storage.join(output, name), content)
    metrics = {key: epochs.kept.get(key) for key in ("epoch", "validation_loss", "validation_accuracy")}
    bundle = Bundle(
        url=output,
        training=run.training,
        audio=run.dataset.config.audio,
        features=run.dataset.config.features.only(run.training.input_features),
        genres=run.dataset.genres,
        windows=run.windows.to_json(),
        splits=dict(run.splits),
        dataset=run.dataset.digest,
        trained=(
            TrainedSongs.write(output, run.dataset, run.splits),
            *(warm_start.copy_trained(run.start, output) if run.start else ()),
        ),
        validation={key: value for key, value in metrics.items() if value is not None},
        calibration=_calibration(model, run),
        files={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    bundle.save()
    return bundle


def _saved(model: Any) -> bytes:
    """The file of a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / MODEL_NAME
        with storage.naming(str(path)):
            model.save(path)
            return path.read_bytes()


def _calibration(model: Any, run: Run) -> Calibration | None:
    if not run.has_validation_songs:
        return None
    scores = list(score_files(model, run.dataset, run.splits["validation"], run.windows))
    return Calibration.of(scores, run.dataset.genres, run.training.risk)
