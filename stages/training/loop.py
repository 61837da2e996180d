"""The training of a network: steps of AdamW over scenes, checkpoints, validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.optim import AdamW

from stages.training.accelerator import Accelerator, Losses
from stages.training.batch import RegionLabels, TrainingScene, collate
from stages.training.checkpoint import Checkpoint, Checkpoints
from stages.training.monitor import Monitor, Record
from stages.training.network import Network, Prediction
from stages.training.order import generator_for, scenes_of_step
from stages.training.schedule import Shape, rate_factor

BEST_BY = "AP"
"""The best checkpoint is the one with the largest of this name among what validation measures."""
_MOST_SKIPPED = 20
"""In 16-mixed the first steps may overflow, until the scale of the gradients has found its size: 2^16 is the first."""


@runtime_checkable
class Scenes(Protocol):
    """Scenes that are read when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> TrainingScene: ...


class TrainingError(Exception):
    """A training cannot go on; the message says in which step and with which scenes."""


@dataclass(frozen=True)
class Settings:
    """How a network is trained."""

    steps: int
    batch_size: int = 1
    """scenes that pass through the network together, over all processes"""
    accumulate: int = 1
    """batches that a step learns from"""
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup_steps: int = 50
    schedule: Shape = "cosine"
    clip: float = 5.0
    """largest norm of the gradient"""
    checkpoint_every: int = 200
    """steps; after the last one too"""
    validate_every: int = 200
    """steps; after the last one too"""
    seed: int = 0


@dataclass(frozen=True)
class Work:
    """What the loop does with scenes and predictions."""

    objective: Callable[[Prediction, Sequence[RegionLabels]], Losses]
    """the same names in every call; ``total`` is what is made small"""
    prepare: Callable[[TrainingScene, torch.Generator], TrainingScene] = lambda scene, _: scene
    """augmentation and crop"""
    validate: Callable[[Network], Mapping[str, float]] | None = None
    """what the network, in evaluation mode, reaches on other scenes; ``AP`` is among it"""


def train(
    network: Network,
    scenes: Scenes,
    settings: Settings,
    work: Work,
    accelerator: Accelerator,
    checkpoints: Checkpoints,
    monitor: Monitor | None = None,
) -> Checkpoint:
    """Trains ``network`` on labelled ``scenes`` and gives the last checkpoint.

    It goes on from the last checkpoint that can be used. On a CPU an interrupted training gives the same numbers, bit
    for bit, as one that was not. Raises TrainingError where a loss or a gradient is not finite: the weights and
    checkpoints then are those of the steps before; ValueError for a batch that the processes cannot share.
    """
    if settings.batch_size % accelerator.processes:
        raise ValueError(f"batch_size {settings.batch_size} cannot be shared by {accelerator.processes} processes")
    gpus = [accelerator.device] if accelerator.device.type == "cuda" else []
    with torch.random.fork_rng(gpus):  # for what a network draws without its generator, such as dropout
        loop = _Loop(network, scenes, settings, work, accelerator, checkpoints)
        watching = monitor if accelerator.rank == 0 else None
        if watching is not None:
            watching.begin(loop.history, settings.steps)
        try:
            while loop.done < settings.steps:
                record = loop.advance()
                if watching is not None:
                    watching.log(record)
        finally:
            if watching is not None:
                watching.close()
        return loop.checkpoint()


class _Loop:
    """A training between two of its steps."""

    def __init__(
        self,
        network: Network,
        scenes: Scenes,
        settings: Settings,
        work: Work,
        accelerator: Accelerator,
        checkpoints: Checkpoints,
    ) -> None:
        self.network = network
        self.scenes = scenes
        self.settings = settings
        self.work = work
        self.accelerator = accelerator
        self.checkpoints = checkpoints
        self.optimizer = AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
        accelerator.prepare(network, self.optimizer)
        self.done = 0
        self.history: list[Record] = []
        self.best: Mapping[str, float | int] = {}
        self.skipped = 0
        found = checkpoints.last()
        if found is not None:
            self._go_on(found)

    def _go_on(self, found: Checkpoint) -> None:
        self.network.load_state_dict(found.network)
        self.optimizer.load_state_dict(dict(found.optimizer))
        self.accelerator.load_state(found.precision)
        self.done, self.history, self.best = found.step, list(found.history), found.best

    def checkpoint(self) -> Checkpoint:
        """All that is needed to go on from here."""
        return Checkpoint(
            step=self.done,
            network=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            precision=self.accelerator.state(),
            history=self.history,
            best=self.best,
        )

    def advance(self) -> Record:
        """One step, and what is due after it; gives what was measured."""
        measured = self._learn()
        self.done += 1
        record: dict[str, Any] = {"step": self.done, "train": measured}
        if self.work.validate is not None and self._due(self.settings.validate_every):
            if self.accelerator.rank == 0:
                record["val"] = self._validate(self.work.validate)
            self.accelerator.wait()
        self.history.append(record)
        if self.accelerator.rank == 0:
            self._keep(record)
        return record

    def _validate(self, validate: Callable[[Network], Mapping[str, float]]) -> dict[str, float]:
        self.network.eval()
        try:
            with torch.no_grad():
                return dict(validate(self.network))
        except ValueError as error:
            raise TrainingError(f"step {self.done}: {error}") from error

    def _keep(self, record: Record) -> None:
        """Writes the checkpoints that are due."""
        found = record.get("val", {})
        if found.get(BEST_BY, -math.inf) > self.best.get(BEST_BY, -math.inf):
            self.best = {"step": self.done, **found}
            self.checkpoints.save_best(self.checkpoint())
        if self._due(self.settings.checkpoint_every):
            self.checkpoints.save(self.checkpoint())

    def _due(self, every: int) -> bool:
        return self.done % every == 0 or self.done == self.settings.steps

    def _learn(self) -> dict[str, float]:
        """Changes the weights by one step; gives the losses, the learning rate and the gradient's norm."""
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        torch.manual_seed(self._generator("free").initial_seed())
        parts = [self._part(number) for number in range(self.settings.accumulate)]
        losses = [self._add_gradients(number, part) for number, part in enumerate(parts)]
        sums = torch.stack([torch.stack(list(one.values())) for one in losses])
        means = self.accelerator.mean(sums.mean(dim=0)).tolist()
        norm = self.accelerator.clip(self.settings.clip)
        self._check(parts, [float(one["total"]) for one in losses], norm)
        self.accelerator.step()
        named = dict(zip(losses[0], means, strict=True))
        return {"loss": named.pop("total"), **named, "learning_rate": rate, "gradient_norm": norm}

    def _rate(self) -> float:
        settings = self.settings
        return settings.learning_rate * rate_factor(
            self.done, steps=settings.steps, warmup_steps=settings.warmup_steps, shape=settings.schedule
        )

    def _generator(self, purpose: str, *place: int) -> torch.Generator:
        return generator_for(self.settings.seed, purpose, self.done, *place, self.accelerator.rank)

    def _part(self, number: int) -> list[TrainingScene]:
        """The scenes of a batch that are this process's; which ones and how they are changed, no process decides."""
        settings, accelerator = self.settings, self.accelerator
        order = scenes_of_step(self.done, len(self.scenes), settings.batch_size * settings.accumulate, settings.seed)
        places = range(number * settings.batch_size, (number + 1) * settings.batch_size)
        part = []
        for place in places[accelerator.rank :: accelerator.processes]:
            scene = self.scenes[order[place]]
            wrong = _not_finite(scene)
            if wrong:
                raise TrainingError(
                    f"step {self.done + 1}: scene {scene.scene} has {', '.join(wrong)} that are not finite: correct "
                    "it, or leave it out"
                )
            part.append(self.work.prepare(scene, generator_for(settings.seed, "prepare", self.done, place)))
        return part

    def _add_gradients(self, number: int, part: Sequence[TrainingScene]) -> dict[str, Tensor]:
        batch = collate(part).to(self.accelerator.device)
        if batch.labels is None:
            raise ValueError(f"scenes without labels: {', '.join(one.scene for one in part if one.labels is None)}")
        labels, generator = batch.labels, self._generator("network", number)
        found = self.accelerator.add_gradients(
            lambda: self.work.objective(self.network(batch, generator), labels),
            1 / self.settings.accumulate,
            last=number == self.settings.accumulate - 1,
        )
        return {name: value.detach() for name, value in found.items()}

    def _check(self, parts: Sequence[Sequence[TrainingScene]], losses: Sequence[float], norm: float) -> None:
        """Raises TrainingError, the same in all processes, unless the step can be made."""
        blamed = [part for part, loss in zip(parts, losses, strict=True) if not math.isfinite(loss)]
        what = "loss"
        words = self.accelerator.gather(_words(blamed))
        if not words:
            self.skipped = 0 if math.isfinite(norm) else self.skipped + 1
            if self.skipped <= (_MOST_SKIPPED if self.accelerator.skips else 0):
                return
            what = "gradient"
            words = self.accelerator.gather(_words(parts))
        raise TrainingError(
            f"step {self.done + 1}: the {what} is not finite, with {', '.join(words)}. Lower the learning rate, or "
            "compute in precision 32; if it is always the same scene, look at it"
        )


def _words(parts: Iterable[Iterable[TrainingScene]]) -> list[str]:
    return [f"scene {scene.scene}" for part in parts for scene in part]


def _not_finite(scene: TrainingScene) -> list[str]:
    """What in a scene is not finite, in words."""
    labels = scene.labels
    values = {"coordinates": scene.xyz, "colours": scene.color}
    if labels is not None:
        values |= {"label means": labels.mean, "label variances": labels.variance, "box centres": labels.center}
    return [name for name, value in values.items() if not bool(value.isfinite().all())]
