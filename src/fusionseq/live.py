"""The curves of a training while it runs, as DVCLive writes them: for `dvc exp show`, `dvc plots` and editors."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dvclive import Live

from fusionseq.artifacts import write_json
from fusionseq.training import Epoch


@contextmanager
def logging_curves(folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Give a function that logs an epoch, in `live` in the folder of a model.

    The same epochs give the same bytes: what was logged there before is gone, so a training that was killed and goes on
    logs all its epochs anew.
    """
    # DVCLive would go on from it where DVCLIVE_RESUME is set.
    shutil.rmtree(folder / "live", ignore_errors=True)
    log = _Log(str(folder / "live"), dvcyaml=None, save_dvc_exp=False, report=None)
    try:
        yield log.add
    finally:
        if log.summary:
            # Trainings of a queue, side by side, all remove the file that tells an editor of a step.
            with suppress(FileNotFoundError):
                log.end()


class _Log(Live):  # type: ignore[misc]
    """A log that needs no repository and tells no service.

    The callback that DVCLive has for Keras logs Keras's own loss, which counts batches, and imports TensorFlow.
    """

    def add(self, epoch: Epoch) -> None:
        """Log one epoch; its number is the step."""
        self.step = epoch.epoch
        self.log_metric("train/loss", epoch.loss)
        self.log_metric("train/accuracy", epoch.accuracy)
        self.log_metric("validation/loss", epoch.validation_loss)
        self.log_metric("validation/accuracy", epoch.validation_accuracy)
        self.next_step()

    def make_summary(self) -> None:
        """Write the last epoch, whole for whoever reads it meanwhile."""
        self.summary["step"] = self.step
        write_json(Path(self.metrics_file), self.summary)

    def _init_dvc(self) -> None:
        """Open no repository: dvc.yaml names the files already.

        DVCLive would make one where there is Git alone, and fail where Git has no commit.
        """

    def _init_studio(self) -> None:
        """Send nothing to DVC Studio, whatever token the environment holds."""
        self._studio_events_to_skip.update({"start", "data", "done"})
