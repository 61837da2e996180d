"""Stores that inference and scores read: a scene, its partition, a trained network."""

from pathlib import Path

import numpy as np
import torch

from pipeline.stage import Result
from pipeline.store import commit
from stages.stores import scene_result, superpoints_result
from stages.structures import Scene, Superpoints, Surface
from stages.training.checkpoint import TrainedNetwork

NETWORK = """
import torch
from torch import nn

from stages.training.network import Network, Prediction, Proposals


class Pairs(Network):
    '''Takes each two regions for an object of class 1, the surer the more of its weight it has.'''

    def __init__(self, classes, *, sureness=2.0):
        super().__init__(classes)
        self.sureness = sureness
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, batch, generator):
        regions = batch.regions
        region = torch.arange(regions)
        logit = torch.where(region // 2 == torch.arange((regions + 1) // 2)[:, None], self.sureness, -self.sureness)
        kind = torch.zeros(len(logit), self.classes + 1)
        kind[:, 1] = self.weight
        proposals = Proposals(logit, kind, torch.linspace(1, -1, len(logit)), logit.sigmoid(), -logit.abs())
        feature = torch.rand((regions, 5), generator=generator)
        return Prediction((proposals,), (feature,))
"""
"""of a user's own, in a file"""


def store_scene(folder: Path, scene: Scene, superpoint: np.ndarray) -> dict[str, Path]:
    """Results of the stages scenes and superpoints."""
    count, regions = len(superpoint), int(superpoint.max()) + 1
    nothing = np.zeros(0, np.int32)
    surface = Surface(np.zeros((count, 3), np.float32), np.zeros((2, count), np.int32), np.zeros(count, bool))
    superpoints = Superpoints(
        superpoint,
        np.zeros(regions + 1, np.int64),
        nothing,
        nothing,
        np.zeros(0, np.float32),
        surface,
        "given",
        {},
    )
    return {
        "scenes": store(folder / "scenes" / scene.scene, scene_result(scene)),
        "superpoints": store(folder / "superpoints" / scene.scene, superpoints_result(superpoints)),
    }


def store(folder: Path, result: Result) -> Path:
    """The folder of a committed result."""
    commit(folder, result, {"fingerprint": folder.name}, replace=True)
    return folder


def store_network(folder: Path, weight: float = 3.0, options: dict[str, float] | None = None) -> Path:
    """What training leaves: ``Pairs`` for the classes chair and table."""
    file = folder / "net.py"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(NETWORK)
    trained = TrainedNetwork(f"{file}:Pairs", options or {}, ("chair", "table"), {"weight": torch.tensor([weight])}, 10)
    return store(folder / "training", Result(files={"network.pt": trained.to_bytes()}))
