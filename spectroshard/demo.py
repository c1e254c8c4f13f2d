"""The demo: a corpus that is synthesised here, and the whole chain on it."""

import importlib.resources
from collections.abc import Callable
from pathlib import Path

from model.config import Config
from model.evaluation.evaluate import evaluate
from model.inference.predict import predict
from model.reports.prediction_tables import summarise_prediction
from model.reports.report import write_report
from model.training.train import train
from pipelines import config
from pipelines.audit import audit
from pipelines.build.build import build
from pipelines.common.beam.runners import NewPipeline
from pipelines.corpus.synthetic import synth

NOTE = (
    "Synthetic music: this proves that the machine works, from audio files to this page."
    " It says nothing of how well the model knows real genres."
)


def demo(folder: Path, new_pipeline: NewPipeline, say: Callable[[str], None]) -> str:
    """Makes a corpus and runs build, audit, train, evaluate and predict on it.

    Parameters
    ----------
    folder : Path
        Where all of it goes; a demo that was stopped goes on.
    new_pipeline : callable
        Gives an empty pipeline.
    say : callable
        Told what comes next.

    Returns
    -------
    str
        The report's path.
    """
    configuration = demo_config()
    say(f"1 of 6: synthesise a corpus of {len(synth.STYLES)} styles in {folder}/corpus")
    corpus = folder / "corpus"
    files = synth.write_corpus(corpus)
    say(f"2 of 6: build a dataset of {files} songs in {folder}/dataset")
    corpus_config = configuration.corpus.model_copy(update={"input": str(corpus)})
    configuration = configuration.model_copy(update={"corpus": corpus_config})
    dataset = build(configuration, str(folder / "dataset"), new_pipeline).dataset
    say("3 of 6: audit it: does any fold share music with another?")
    say(audit.of_dataset(dataset).conclusion)
    say(f"4 of 6: train {configuration.training.network} in {folder}/bundle")
    bundle = train(configuration, dataset, str(folder / "bundle"))
    say("5 of 6: evaluate it on songs that it never saw")
    metrics, scores = evaluate(bundle, dataset)
    report = write_report(bundle.url, "Spectroshard demo", metrics, scores, dataset, NOTE)
    say("6 of 6: predict three of them from their audio files")
    some = sorted(scores, key=lambda score: score.path)[:: len(scores) // 3 + 1]
    for prediction in predict(bundle, [str(corpus / score.path) for score in some], None, new_pipeline):
        say(summarise_prediction(prediction))
    return report


def demo_config() -> Config:
    """The configuration that comes with the program."""
    shipped = importlib.resources.files("configs") / "demo.yaml"
    with importlib.resources.as_file(shipped) as path:
        return config.load(str(path), [], Config)
