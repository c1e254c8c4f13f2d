"""The demo: a corpus that is synthesised here, and the whole chain on it."""

from collections.abc import Callable
from pathlib import Path

from model.evaluation.evaluate import evaluate
from model.reports.prediction_tables import summarise_prediction
from model.reports.report import write_report
from pipelines.corpus.synthetic import synth
from spectroshard import api

CONFIG = "demo"
"""The packaged configuration that it is built and trained with."""

NOTE = (
    "Synthetic music: this proves that the machine works, from audio files to this page."
    " It says nothing of how well the model knows real genres."
)


def demo(folder: Path, say: Callable[[str], None]) -> str:
    """Makes a corpus and runs build, audit, train, evaluate and predict on it.

    Parameters
    ----------
    folder : Path
        Where all of it goes; a demo that was stopped goes on.
    say : callable
        Told what comes next.

    Returns
    -------
    str
        The report's path.
    """
    corpus = folder / "corpus"
    say(f"1 of 6: synthesise a corpus of {len(synth.STYLES)} styles in {corpus}")
    files = synth.write_corpus(corpus)
    say(f"2 of 6: build a dataset of {files} songs in {folder}/dataset")
    dataset = api.build(CONFIG, folder / "dataset", music=corpus)
    say("3 of 6: audit it: does any fold share music with another?")
    say(api.audit(dataset, folder / "audit").conclusion)
    say(f"4 of 6: train a network in {folder}/bundle")
    bundle = api.train(dataset, folder / "bundle", CONFIG)
    say("5 of 6: evaluate it on songs that it never saw")
    metrics, scores = evaluate(bundle.manifest, dataset.manifest)
    report = write_report(bundle.url, "Spectroshard demo", metrics, scores, dataset.manifest, NOTE)
    say("6 of 6: predict three of them from their audio files")
    for score in sorted(scores, key=lambda score: score.path)[:: len(scores) // 3 + 1]:
        say(summarise_prediction(bundle.predict(corpus / score.path)))
    return report
