"""The training stage: a network learns from the pseudo-labels of all scenes for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import ConfigurationError, SceneError, StoreError
from pipeline.stage import DATASET, Array, DatasetJob, DatasetStage, Result, StageConfig
from stages.training.config import NETWORK, TrainingConfig, no_training

if TYPE_CHECKING:
    from stages.training.checkpoint import Checkpoint
    from stages.training.launch import Training as Task
    from stages.training.monitor import Record
    from stages.training.survey import Survey

BEST = "best.pt"
_SETTINGS = (
    "batch_size",
    "accumulate",
    "learning_rate",
    "weight_decay",
    "warmup_steps",
    "schedule",
    "clip",
    "checkpoint_every",
    "validate_every",
)


class Training(DatasetStage):
    """Trains the network of a round; what it has learnt lies in ``network.pt``."""

    name = "training"
    version = 1
    Config: ClassVar[type[StageConfig]] = TrainingConfig
    inputs = ("scenes", "superpoints", "pseudo_labels")
    earlier = ("training",)
    splits = ("train", "val")
    unfingerprinted = ("device", "devices", "checkpoint_every")
    only_later = ("initial", "later_steps")
    config: TrainingConfig

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        """Without a network there is nothing to train."""
        return no_training(sections)

    def check(self) -> None:
        """Refuses a network that cannot be built, before any label is made; imports torch and the user's code."""
        from stages.training.networks.load import check_network
        from stages.training.networks.options import OptionsError

        config = self.config
        if config.network is None:
            return
        try:
            check_network(str(config.network), config.options, Path())
        except OptionsError as error:
            raise ConfigurationError(f"training.options: {error}") from error
        except ValueError as error:
            raise ConfigurationError(f"training.network: {error}") from error

    def run_dataset(self, job: DatasetJob) -> Result:
        """The trained network and the curves of its training, which goes on where it was interrupted.

        Raises ConfigurationError where it cannot be trained as configured, SceneError where the training fails.
        """
        from pipeline.atomic import writing
        from stages.training.launch import run
        from stages.training.loop import TrainingError

        try:
            found = _survey(job)
            task = self._task(job, found)
            begun = task.checkpoints
            begun.last()
            with writing(job.workspace):
                run(task, job.report)
        except ValueError as error:
            raise ConfigurationError(f"training: {error}") from error
        except TrainingError as error:
            raise SceneError(f"training: {error}") from error
        return _result(task, found, (*found.warnings(), *begun.refused))

    def files(self, scene: str) -> tuple[Path, ...]:
        """The file of a user's own network."""
        network = self.config.network
        return (Path(str(network).rpartition(":")[0]),) if scene == DATASET and isinstance(network, Path) else ()

    def _task(self, job: DatasetJob, found: Survey) -> Task:
        """The training as plain values."""
        from stages.training.accelerator import choose_device
        from stages.training.augment import Augmentation
        from stages.training.launch import Training as Task
        from stages.training.loop import Settings

        config = self.config
        earlier = job.scenes[0].inputs.get(self.name)
        steps = config.steps if earlier is None else config.later_steps or config.steps
        return Task(
            network=str(config.network),
            options=config.options,
            class_names=found.class_names,
            uncertainty=config.uncertainty,
            settings=Settings(steps, seed=job.seed, **{name: getattr(config, name) for name in _SETTINGS}),
            augmentation=Augmentation(**config.augmentation.model_dump()),
            crop_points=config.crop_points,
            precision=config.precision,
            device=choose_device(config.device, config.devices),
            devices=config.devices,
            train=found.train,
            val=found.val,
            workspace=str(job.workspace),
            start=str(earlier / NETWORK) if earlier is not None and config.initial == "previous" else None,
        )


def _survey(job: DatasetJob) -> Survey:
    from stages.training.survey import survey

    scenes = [
        (one.split, {"scene": one.scene, **{name: str(one.inputs[name]) for name in Training.inputs}})
        for one in sorted(job.scenes, key=lambda one: one.scene)
    ]
    return survey(scenes, lambda read: job.report(0, 1, f"{read} of {len(scenes)} scenes read"))


def _result(task: Task, found: Survey, warnings: Sequence[str]) -> Result:
    """What came of a training that has ended; raises StoreError where its checkpoint is gone."""
    from stages.training.monitor import EVENTS, METRICS

    workspace = Path(task.workspace)
    last, best = task.checkpoints.last(), task.checkpoints.best()
    if last is None:
        raise StoreError(f"{workspace}: the last checkpoint cannot be read; run again")
    files = {path.name: path.read_bytes() for path in [workspace / METRICS, *sorted(workspace.glob(EVENTS))]}
    files[NETWORK] = _network(task, last)
    if best is not None and last.best:
        files[BEST] = _network(task, best)
    losses, measures = list(last.history[-1]["train"]), [name for name in last.best if name != "step"]
    return Result(
        arrays=_curves(last.history, losses, measures),
        attributes={
            "network": Path(task.network).name,
            "options": dict(task.options),
            "class_names": list(task.class_names),
            "steps": last.step,
            "train_columns": losses,
            "val_columns": measures,
            "best": dict(last.best),
        },
        statistics={"scenes": float(len(task.train)), "objects": float(found.objects.total())},
        warnings=tuple(warnings),
        files=files,
    )


def _network(task: Task, checkpoint: Checkpoint) -> bytes:
    from stages.training.checkpoint import TrainedNetwork

    found = TrainedNetwork(task.network, task.options, task.class_names, checkpoint.network, checkpoint.step)
    return found.to_bytes()


def _curves(history: Sequence[Record], losses: Sequence[str], measures: Sequence[str]) -> dict[str, Array]:
    """What was measured in each step, and in each validation."""
    import numpy as np

    train = np.array([[record["train"][name] for name in losses] for record in history], np.float64)
    validated = [record for record in history if "val" in record]
    val = np.array([[record["val"][name] for name in measures] for record in validated], np.float64)
    return {
        "train": Array(train, ("step", "train_column")),
        "val": Array(val.reshape(len(validated), len(measures)), ("validation", "val_column")),
        "val_step": Array(np.array([record["step"] for record in validated], np.int64), ("validation",)),
    }
