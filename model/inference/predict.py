"""Prediction as a Beam pipeline: files to distributions over genres, on as many workers as there are."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from apache_beam.utils.shared import Shared

from model.inference import shared_network
from model.inference.bundle import Bundle
from model.inference.input_files import input_files
from model.inference.prediction import REJECTED, Prediction
from pipelines.common.beam import tasks
from pipelines.common.beam.runners import NewPipeline
from pipelines.corpus.forms.named_files import OUTSIDE_ROOT

if TYPE_CHECKING:
    from model.inference.predictor import Predictor


def predict(bundle: Bundle, urls: Sequence[str], folder: str | None, new_pipeline: NewPipeline) -> list[Prediction]:
    """Classifies files.

    Parameters
    ----------
    bundle : Bundle
    urls : sequence of str
        Audio files, folders, globs, manifests.
    folder : str or None
        Where tasks and results are kept, on storage that the workers share; a run that was stopped is resumed from
        there. None: a temporary folder.
    new_pipeline : callable
        Returns an empty pipeline.

    Returns
    -------
    list of Prediction
        One for each file, sorted by path.
    """
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return predict(bundle, urls, temporary, new_pipeline)
    files = input_files(urls)
    predicted = predict_at_tempos(bundle, list(files.years), (1.0,), folder, new_pipeline)[1.0]
    predictions = [each.model_copy(update={"year": files.years[each.path] or each.year}) for each in predicted]
    for path, fault in files.faults.items():
        predictions.append(Prediction(path=path, status=REJECTED, reason=OUTSIDE_ROOT.name, error=fault))
    return sorted(predictions, key=lambda prediction: prediction.path)


def predict_at_tempos(
    bundle: Bundle,
    paths: Sequence[str],
    tempos: Sequence[float],
    folder: str,
    new_pipeline: NewPipeline,
) -> dict[float, list[Prediction]]:
    """Classifies files that are time-stretched to some tempos; by tempo, in the order of the paths."""
    bundle.check_files()  # so that a damaged bundle is reported here, and not by every worker
    work = [PredictTask(bundle.digest, tempo, tuple(part)) for tempo in tempos for part in tasks.parts(paths)]
    results = tasks.run(new_pipeline, PredictFiles(folder, bundle.url), work)
    predictions: dict[float, list[Prediction]] = {tempo: [] for tempo in tempos}
    for task, result in zip(work, results, strict=True):
        predictions[task.tempo] += result.predictions
    return predictions


@dataclass(frozen=True)
class PredictTask:
    """Some files to be classified at a tempo, by the bundle of this digest."""

    bundle: str
    tempo: float
    files: tuple[str, ...]


@dataclass(frozen=True)
class PredictResult:
    """What was predicted, and of how many files nothing could be."""

    predictions: tuple[Prediction, ...]
    rejected: int


class PredictFiles(tasks.TaskDoFn[PredictTask, PredictResult]):
    """Predicts the files of a task.

    Parameters
    ----------
    folder : str
        Where tasks and results are.
    bundle_url : str
    """

    kind, verb = "predict", "Predict"
    task_type, result_type = PredictTask, PredictResult
    predictor: "Predictor"

    def __init__(self, folder: str, bundle_url: str):
        super().__init__(folder)
        self.bundle_url = bundle_url
        self._shared = Shared()

    def setup(self) -> None:
        from model.inference.predictor import Predictor

        super().setup()
        bundle = Bundle.load(self.bundle_url)
        self.predictor = Predictor(bundle, lambda: shared_network.acquire(self._shared, bundle))

    def run(self, task: PredictTask) -> PredictResult:
        predictions = tuple(self.predictor.predict(task.files, task.tempo))
        return PredictResult(predictions, sum(prediction.status == REJECTED for prediction in predictions))
