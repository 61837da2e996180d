"""One training of the experiment, from rooms to a network and its figures; needs torch, numpy and scipy alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.experiment.relabel import Relabelling, improved_labels
from benchmarks.experiment.rooms import Room, read_room, to_learn_from
from benchmarks.experiment.rows import Job
from benchmarks.experiment.settings import Experiment, ExperimentError, Folder, write_whole
from stages.evaluation.label_quality import LabelAP, label_ap
from stages.evaluation.plain import plain
from stages.evaluation.scene import evaluate_scene, known_truth
from stages.inference.predict import predict
from stages.pseudo_labels.labels import PseudoLabels
from stages.scores.figures import region_truth
from stages.training.accelerator import OneDevice
from stages.training.augment import Augmentation, augment
from stages.training.batch import TrainingScene, collate
from stages.training.checkpoint import BEFORE, BEST, LAST, Checkpoint, Checkpoints, TrainedNetwork, read_network
from stages.training.crop import crop
from stages.training.loop import Settings, Work, train
from stages.training.losses.objective import Weights, objective
from stages.training.monitor import Monitor
from stages.training.network import Network
from stages.training.networks.load import build_network
from stages.training.order import generator_for
from stages.training.validation import MEASURES, validation

_SECONDS = "seconds.json"


def run_job(job: Job, experiment: Experiment, folder: Folder, device: torch.device) -> None:
    """Trains from the last checkpoint on and stores the network and its result.

    Raises TrainingError where the training fails, ValueError and ExperimentError where it cannot be done.
    """
    clock = Clock(folder.work(job) / _SECONDS)
    network = first_network(job, experiment, folder)
    rooms, labels = labelled_rooms(job, experiment, folder, network, device)
    settings = settings_of(job, experiment)
    checkpoints = Checkpoints(folder.work(job), {"experiment": experiment.digest, "job": asdict(job)})
    work = Work(
        objective=partial(objective, uncertainty=job.uncertainty, weights=Weights()),
        prepare=partial(_prepared, training=experiment.configuration["training"]),
        validate=_validation(experiment, folder, device),
    )
    scenes = [scene for scene in map(to_learn_from, rooms, labels) if scene.regions]
    accelerator = OneDevice(device, experiment.configuration["training"]["precision"])
    monitor = Monitor(folder.work(job), partial(_report, clock, settings), tensorboard=False)
    last = train(network, scenes, settings, work, accelerator, checkpoints, monitor)
    for reason in checkpoints.refused:
        print(reason, flush=True)
    quality = None if job.row is None else label_quality(rooms, labels)
    _keep(job, experiment, folder, last, device, clock.seconds, quality)


def first_network(job: Job, experiment: Experiment, folder: Folder) -> Network:
    """With the weights that the training starts from: of its first phase, else such as depend on the seed alone."""
    training = experiment.configuration["training"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator_for(job.seed, "weights").initial_seed())
        network = build_network(training["network"], len(experiment.class_names), training["options"], Path())
    if job.first is not None:
        network.load_state_dict(read_network(folder.network(job.first)).weights)
    return network


def settings_of(job: Job, experiment: Experiment) -> Settings:
    """Those of the configuration; the phases of a seed see the rooms in different orders."""
    training = experiment.configuration["training"]
    own = {one.name: training[one.name] for one in fields(Settings) if one.name not in {"steps", "seed"}}
    return Settings(steps=experiment.steps(job), seed=2 * job.seed + (job.row is not None), **own)


def labelled_rooms(
    job: Job, experiment: Experiment, folder: Folder, network: Network, device: torch.device
) -> tuple[list[Room], list[PseudoLabels]]:
    """The rooms to learn from, and the labels to be learnt."""
    improved = job.row is not None and job.row.self_training
    rooms, labels = [], []
    for place, name in enumerate(experiment.train):
        room = read_room(folder.room(name), job.labels, before_network=improved)
        if room.labels is None:
            raise ExperimentError(f"{folder.room(name)} has no labels {job.labels}: prepare the experiment anew")
        rooms.append(room)
        found = room.labels
        if improved and len(room.superpoints):
            # by the network that the second phase starts from, with all that it has learnt in the first one
            generator = generator_for(job.seed, "relabel", place)
            found = relabelled(room, experiment.configuration, network.to(device), generator, device)
        labels.append(found)
    return rooms, labels


def relabelled(
    room: Room,
    configuration: Mapping[str, Any],
    network: Network,
    generator: torch.Generator,
    device: torch.device,
) -> PseudoLabels:
    """The labels of a room, which has a region, after a network on ``device`` was asked."""
    batch = collate([to_learn_from(room, None)]).to(device)
    (found,) = predict(network, batch, generator, configuration["inference"]["most_proposals"])
    dense = "cuda" if device.type == "cuda" else "cpu:0"
    return improved_labels(room, found, Relabelling.of(configuration), dense)


def label_quality(rooms: Sequence[Room], labels: Sequence[PseudoLabels]) -> LabelAP:
    """The labels of all rooms against the truth, class-agnostic."""
    iou = [np.zeros(0)]
    for room, one in zip(rooms, labels, strict=True):
        truth = evaluate_scene(room.scene, room.superpoints.superpoint, len(room.superpoints), one).truth
        if truth is not None:
            iou.append(truth.objects.iou[0])
    return label_ap(np.concatenate(iou))


def _validation(
    experiment: Experiment, folder: Folder, device: torch.device
) -> Callable[[Network], Mapping[str, float]]:
    """What judges a network: rooms with regions and known instances."""
    scenes: list[TrainingScene] = []
    truths = []
    for name in experiment.val:
        room = read_room(folder.room(name))
        scene, truth = to_learn_from(room, None), known_truth(room.scene)
        if scene.regions and truth is not None:
            scenes.append(scene)
            truths.append(region_truth(truth, room.superpoints.superpoint, len(room.superpoints)))
    if not scenes:
        raise ExperimentError("no room to judge on (splits.val) has points and ground truth")
    return validation(scenes, truths, device)


def _prepared(scene: TrainingScene, generator: torch.Generator, training: Mapping[str, Any]) -> TrainingScene:
    points = training["crop_points"]
    part = scene if points is None else crop(scene, points, generator)
    return augment(part, Augmentation(**training["augmentation"]), generator)


class Clock:
    """Seconds of a training, those before an interruption included."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = time.perf_counter()
        try:
            self._before = float(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            self._before = 0.0

    @property
    def seconds(self) -> float:
        """So far."""
        return self._before + time.perf_counter() - self._start

    def keep(self) -> None:
        """For whoever goes on from the checkpoint that was just written."""
        write_whole(self._path, json.dumps(self.seconds).encode())


def _report(clock: Clock, settings: Settings, done: int, steps: int, words: str) -> None:
    last = done == steps
    if last or done % settings.checkpoint_every == 0:
        clock.keep()
    if last or done % settings.validate_every == 0:
        print(f"step {done} of {steps}, {clock.seconds / 60:.1f} min: {words}", flush=True)


def _keep(
    job: Job,
    experiment: Experiment,
    folder: Folder,
    last: Checkpoint,
    device: torch.device,
    seconds: float,
    quality: LabelAP | None,
) -> None:
    """Network first, then the result, which says that the job is done; the checkpoints are needed no more."""
    training = experiment.configuration["training"]
    trained = TrainedNetwork(training["network"], training["options"], experiment.class_names, last.network, last.step)
    write_whole(folder.network(job), trained.to_bytes())
    curve = [{"step": one["step"], **one["val"]} for one in last.history if "val" in one]
    figures = {name.lower(): curve[-1][name] for name in MEASURES}
    labels = None if quality is None else asdict(quality)
    found = {**figures, "labels": labels, "steps": last.step, "seconds": seconds, "device": device.type, "curve": curve}
    folder.write_result(job, experiment, plain(found))
    for name in (LAST, BEFORE, BEST, _SECONDS):
        (folder.work(job) / name).unlink(missing_ok=True)
