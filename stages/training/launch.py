"""A training as plain values, and its run in this process or, on several devices, in those that torchrun starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import traceback
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from stages.training.accelerator import Precision, fabric
from stages.training.augment import Augmentation, augment
from stages.training.batch import TrainingScene
from stages.training.checkpoint import Checkpoints, read_network
from stages.training.crop import crop
from stages.training.loop import Settings, TrainingError, Work, train
from stages.training.losses.kl import Uncertainty
from stages.training.losses.objective import Weights, objective
from stages.training.monitor import Monitor, Report
from stages.training.network import Network
from stages.training.networks.load import build_network
from stages.training.order import generator_for
from stages.training.stored import Folders, StoredScenes, stored_truth
from stages.training.validation import validation

SPECIFICATION = "training.json"
_REPORT = "boxgp report: "
_FAILURE = "boxgp failure: "
_LAST_LINES = 50  # of which torchrun fills 30
_PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Training:
    """Everything that a training needs."""

    network: str
    options: Mapping[str, Any]
    class_names: Sequence[str]
    uncertainty: Uncertainty
    settings: Settings
    augmentation: Augmentation
    crop_points: int | None
    precision: Precision
    device: Literal["cpu", "cuda"]
    devices: int
    train: Sequence[Folders]
    val: Sequence[Folders]
    """scenes with ground truth"""
    workspace: str
    start: str | None
    """file of the network whose weights it starts from"""

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of this training in its workspace, and none that were made under other settings."""
        settings = asdict(self)
        for name in ("device", "devices", "workspace", "start"):
            del settings[name]
        del settings["settings"]["checkpoint_every"]
        scenes = {split: [one["scene"] for one in settings[split]] for split in ("train", "val")}
        return Checkpoints(Path(self.workspace), {**settings, **scenes})

    @classmethod
    def from_json(cls, text: str) -> Training:
        """The inverse of ``json.dumps(asdict(training))``."""
        values = json.loads(text)
        parts = {"settings": Settings(**values["settings"]), "augmentation": Augmentation(**values["augmentation"])}
        return cls(**{**values, **parts})


def run(training: Training, report: Report) -> None:
    """Trains to the end, from the last checkpoint on; afterwards ``training.checkpoints`` has what came of it.

    Raises TrainingError where the training fails, with the last words of processes that died; ValueError where it
    cannot be done as asked; OSError where a checkpoint cannot be written.
    """
    if training.devices == 1:
        _train(training, report)
    else:
        _launch(training, report)


def _train(training: Training, report: Report) -> None:
    """The training, or one process's part in it."""
    network = _network(training)
    accelerator = fabric(training.device, training.precision, training.devices)
    validate = None
    if training.val:
        truths = [stored_truth(one) for one in training.val] if accelerator.rank == 0 else []
        known = [truth for truth in truths if truth is not None]
        validate = validation(StoredScenes(training.val), known, accelerator.device)
    work = Work(
        objective=partial(objective, uncertainty=training.uncertainty, weights=Weights()),
        prepare=partial(_prepared, options=training.augmentation, points=training.crop_points),
        validate=validate,
    )
    monitor = Monitor(Path(training.workspace), report)
    scenes = StoredScenes(training.train)
    try:
        train(network, scenes, training.settings, work, accelerator, training.checkpoints, monitor)
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            "the memory of the GPU is full: lower training.batch_size (training.accumulate makes up for it), or set "
            "training.crop_points"
        ) from error


def _network(training: Training) -> Network:
    """The network with its first weights, which depend on the seed alone or are those of an earlier one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator_for(training.settings.seed, "weights").initial_seed())
        network = build_network(training.network, len(training.class_names), training.options, Path())
    if training.start is not None:
        try:
            network.load_state_dict(read_network(Path(training.start)).weights)
        except RuntimeError as error:
            raise ValueError(
                f"the network cannot start from the weights of the round before, {training.start} "
                f"({' '.join(str(error).split())}): set training.initial to scratch, or leave the network as it was"
            ) from error
    return network


def _prepared(
    scene: TrainingScene, generator: torch.Generator, options: Augmentation, points: int | None
) -> TrainingScene:
    part = scene if points is None else crop(scene, points, generator)
    return augment(part, options, generator)


def _launch(training: Training, report: Report) -> None:
    """The training in as many processes as devices."""
    workspace = Path(training.workspace)
    workspace.mkdir(parents=True, exist_ok=True)
    specification = workspace / SPECIFICATION
    specification.write_text(json.dumps(asdict(training)), encoding="utf-8")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(training.devices))
    process = subprocess.Popen(
        [sys.executable, *launcher, "-m", __name__, str(specification)],
        stdin=subprocess.PIPE,  # its end tells the processes that nobody waits for them any more
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        text=True,
        errors="replace",
    )
    try:
        failure = _listen(process.stdout or (), report)
        code = process.wait()
    finally:
        _end(process)
    if code:
        raise failure


def _listen(lines: Iterable[str], report: Report) -> Exception:
    """Forwards reports until the processes have ended; gives the error to raise if they have failed."""
    failure: Exception | None = None
    last: deque[str] = deque(maxlen=_LAST_LINES)
    for line in lines:
        if line.startswith(_REPORT):
            report(*json.loads(line.removeprefix(_REPORT)))
        elif line.startswith(_FAILURE):
            kind, message = json.loads(line.removeprefix(_FAILURE))
            failure = failure or (ValueError if kind == "ValueError" else TrainingError)(message)
        else:
            last.append(line)
    return failure or TrainingError(f"processes that train together have died; their last words:\n{''.join(last)}")


def _end(process: subprocess.Popen[str]) -> None:
    """Ends what still runs after an error or Ctrl-C here."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def main() -> None:
    """One of the processes that torchrun starts."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        training = Training.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
        _train(training, lambda *report: print(_REPORT + json.dumps(report), flush=True))
    except Exception as error:  # noqa: BLE001 (whatever it is, the one who waits must know)
        traceback.print_exc()
        print(_FAILURE + json.dumps([type(error).__name__, str(error)]), flush=True)
        os._exit(1)  # an exchange that the others will never join must not hold it up
    torch.distributed.destroy_process_group()


def _end_with_parent() -> None:
    """Ends this process when the one that waits for the training is gone."""
    while os.read(sys.stdin.fileno(), 1):  # not through its buffer, whose lock must be free when Python ends
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
