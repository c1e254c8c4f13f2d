"""The library's functions: what the command line's verbs do, with results in place of lines."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipelines.common.output.library_warnings import suppressed
from spectroshard.bundle import Bundle, load_bundle
from spectroshard.dataset import Dataset, load

if TYPE_CHECKING:
    from pipelines.audit.result import AuditResult
    from spectroshard.configuration import ConfigLike

__all__ = ["audit", "build", "crossval", "evaluate", "load", "load_bundle", "train"]

Url = str | os.PathLike[str]


def build(
    config: "ConfigLike",
    output: Url,
    *,
    music: Url | None = None,
    previous: Url | None = None,
    verify_content: bool = False,
    workers: int | None = None,
    beam: Sequence[str] = (),
) -> Dataset:
    """Builds a dataset of a corpus of songs, or appends a version to one that is there.

    Parameters
    ----------
    config : str, path, mapping or BuildConfig
        A YAML file, the name of a configuration that comes with the program (`spectroshard configs` lists them), its
        sections as a mapping, or itself. What it does not say has its default; `{}` says nothing.
    output : str or path
        The dataset's folder, by path or fsspec URL: new, a dataset's, or left by a build that was stopped. Of a dataset
        only files that are new or changed are read; where nothing is new, it is returned as it is.
    music : str or path, optional
        The corpus: a folder of genre folders, a glob, a manifest or an archive. Default: the configuration's
        `corpus.input`.
    previous : str or path, optional
        A dataset elsewhere that a new one goes on from: it takes over its readings, folds, history and records.
    verify_content : bool
        Whether files and shards whose size and time are what they were are read all the same.
    workers : int, optional
        How many songs this machine works on at once. Default: its cores.
    beam : sequence of str
        Options of Apache Beam, such as `--runner=FlinkRunner`.

    Returns
    -------
    Dataset

    Raises
    ------
    UsageError
        The configuration is wrong, there is no such corpus, or the output holds something else.
    SpectroshardError
        The corpus cannot be used, or too much of it was rejected. Nothing is published then.
    BusyError
        Another build is at work on the output.

    Examples
    --------
    >>> ds = spectroshard.build({"folds": {"count": 5}}, "dataset", music="~/Music")  # doctest: +SKIP
    >>> ds.genres  # doctest: +SKIP
    ('house', 'techno', 'trance')
    """
    from spectroshard.configuration import load_config, with_sources

    chosen = with_sources(load_config(config), os.fspath(music or ""), os.fspath(previous or ""))
    with suppressed():
        from pipelines.build.build import build
        from pipelines.common.beam.runners import new_pipelines

        pipelines = new_pipelines(beam, workers)
        return Dataset(build(chosen, os.fspath(output), pipelines, verify_content=verify_content).dataset)


def audit(
    source: Dataset | Url | Sequence[Url],
    output: Url = "audit",
    *,
    audio: Url = "",
    artists: Url = "",
    pattern: str = "",
    workers: int | None = None,
    beam: Sequence[str] = (),
) -> "AuditResult":
    """Whether splits leak: of a dataset, or of anyone's files. Writes `audit.json` and the page `audit.html`.

    Parameters
    ----------
    source : Dataset, str, path or sequence of them
        A dataset; or a folder of split folders, split folders, split lists, or a manifest.
    output : str or path
        The report's folder. Default: `audit`.
    audio : str or path, optional
        Where the files of lists or of a manifest lie.
    artists : str or path, optional
        An index of lines `file ::: artist ::: title`.
    pattern : str, optional
        What the files' paths tell, as `{artist}/{album}/{title}`.
    workers : int, optional
        How many songs this machine works on at once. Default: its cores.
    beam : sequence of str
        Options of Apache Beam, such as `--runner=FlinkRunner`.

    Returns
    -------
    AuditResult
        Its `fails` says whether anything leaks, its `conclusion` what in a sentence, its `leaks` which pairs.

    Raises
    ------
    UsageError
        The source is no split, or nothing of one of its splits could be read.

    Examples
    --------
    >>> spectroshard.audit("dataset").fails  # doctest: +SKIP
    False
    """
    sources = (
        [_name(source)] if isinstance(source, str | os.PathLike | Dataset) else [os.fspath(each) for each in source]
    )
    with suppressed():
        from pipelines.audit.audit import audit
        from pipelines.common.beam.runners import new_pipelines

        pipelines = new_pipelines(beam, workers)
        return audit(sources, os.fspath(output), pipelines, os.fspath(audio), os.fspath(artists), pattern)


def train(dataset: Dataset | Url, output: Url, config: "ConfigLike | None" = None) -> Bundle:
    """Trains a network on a dataset.

    Parameters
    ----------
    dataset : Dataset, str or path
    output : str or path
        The bundle's folder, by path or fsspec URL: new, or left by this very training when it was stopped.
    config : str, path, mapping or Config, optional
        Its `training`, and which folds are test and validation, where it says so. Default: the dataset's own.

    Returns
    -------
    Bundle

    Raises
    ------
    UsageError
        The configuration is wrong, the dataset lacks a feature or the songs of a split, or the output holds
        something else.
    SpectroshardError
        The dataset's splits share songs, or a file of the finished bundle is missing or damaged.
    BusyError
        Another training is at work on the output.

    Examples
    --------
    >>> spectroshard.train("dataset", "bundle", {"training": {"epochs": 20}})  # doctest: +SKIP
    Bundle('bundle', cnn, 10 genres)
    """
    from spectroshard.configuration import for_dataset, load_config

    manifest = _opened(dataset).manifest
    chosen = for_dataset(load_config(config), manifest.config)
    with suppressed():
        from model.training.train import train

        return Bundle(train(chosen, manifest, os.fspath(output)))


def evaluate(
    bundle: Bundle | Url, dataset: Dataset | Url, *, tempo: bool = False, beam: Sequence[str] = ()
) -> dict[str, Any]:
    """Scores a bundle on the test songs of its dataset. Writes `metrics.json` and `report.html` into the bundle.

    Parameters
    ----------
    bundle : Bundle, str or path
    dataset : Dataset, str or path
        The one that it was trained on, or a later version of it; test songs that share samples or a group with what the
        bundle was trained on are left out.
    tempo : bool
        Whether the songs are played slower and faster too.
    beam : sequence of str
        Options of Apache Beam, such as `--runner=FlinkRunner`.

    Returns
    -------
    dict
        `song_accuracy` and its `song_accuracy_interval`, `macro_f1`, `per_genre`, and more: as `metrics.json` has it.

    Raises
    ------
    UsageError
        The bundle was trained on another dataset, or no test song is left to judge it by.

    Examples
    --------
    >>> spectroshard.evaluate("bundle", "dataset")["song_accuracy"]  # doctest: +SKIP
    0.725
    """
    model, data = _opened_bundle(bundle).manifest, _opened(dataset).manifest
    with suppressed():
        from model.evaluation.evaluate import evaluate
        from model.reports.report import write_report
        from pipelines.common.beam.runners import new_pipelines

        metrics, scores = evaluate(model, data, new_pipelines(beam) if tempo else None)
        write_report(model.url, f"{model.training.network} on unseen songs", metrics, scores, data)
        return metrics


def crossval(
    dataset: Dataset | Url,
    output: Url = "crossval",
    config: "ConfigLike | None" = None,
    *,
    leak_gap: bool = False,
    tempo: bool = False,
    beam: Sequence[str] = (),
) -> dict[str, Any]:
    """Scores every song by a model that never saw it. Writes a bundle a fold, `metrics.json` and `report.html`.

    Parameters
    ----------
    dataset : Dataset, str or path
    output : str or path
        A folder, new or left by this very cross-validation. Default: `crossval`.
    config : str, path, mapping or Config, optional
        Its `training`. Default: every key has its default.
    leak_gap : bool
        Whether other seconds of the trained songs are scored too.
    tempo : bool
        Whether the songs are played slower and faster too.
    beam : sequence of str
        Options of Apache Beam, such as `--runner=FlinkRunner`.

    Returns
    -------
    dict
        As of `evaluate`, over all songs; `rounds` has each fold's own.

    Raises
    ------
    UsageError
        The dataset has fewer than three folds, or the output holds something else.

    Examples
    --------
    >>> spectroshard.crossval("dataset", config={"training": {"network": "crnn"}})["song_accuracy"]  # doctest: +SKIP
    0.731
    """
    from spectroshard.configuration import for_dataset, load_config

    manifest = _opened(dataset).manifest
    chosen = for_dataset(load_config(config), manifest.config)
    with suppressed():
        from model.evaluation.crossval import crossval
        from model.reports.report import write_report
        from pipelines.common.beam.runners import new_pipelines

        new_pipeline = new_pipelines(beam) if tempo else None
        url = os.fspath(output)
        metrics, scores = crossval(chosen, manifest, url, with_leak_gap=leak_gap, new_pipeline=new_pipeline)
        write_report(url, f"{chosen.training.network}, cross-validated by song", metrics, scores, manifest)
        return metrics


def _opened(dataset: Dataset | Url) -> Dataset:
    return dataset if isinstance(dataset, Dataset) else load(dataset)


def _opened_bundle(bundle: Bundle | Url) -> Bundle:
    return bundle if isinstance(bundle, Bundle) else load_bundle(bundle)


def _name(source: Dataset | Url) -> str:
    return source.manifest.name if isinstance(source, Dataset) else os.fspath(source)
