"""Configuration of the training stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from pipeline.stage import StageConfig

NETWORK = "network.pt"
"""What training leaves beside its store: the network's name, options, classes and weights."""


def no_training(sections: Mapping[str, Any]) -> str | None:
    """Why a configuration (stage -> section) trains no network and what to set, None where it trains one."""
    return None if sections["training"].network else "no network is trained; set training.network"


class AugmentationConfig(StageConfig):
    """How far scenes are changed before each step; 0 everywhere: not at all."""

    rotation: float = Field(180.0, ge=0, le=180, description="largest angle about the vertical, degrees, either way")
    mirror: float = Field(0.5, ge=0, le=1, description="probability to mirror x, and to mirror y")
    scale: float = Field(0.1, ge=0, lt=1, description="sizes are multiplied with 1 - scale to 1 + scale")
    elastic: float = Field(0.03, ge=0, description="standard deviation of an elastic distortion, metres")
    elastic_cell: float = Field(0.4, gt=0, description="metres between which the distortion is smooth")
    color_shift: float = Field(0.1, ge=0, description="standard deviation of a shift of all colours, of 2 in all")
    color_contrast: float = Field(0.2, ge=0, lt=1, description="contrast is multiplied with 1 - to 1 + this")
    color_jitter: float = Field(0.03, ge=0, description="standard deviation of the colour noise of each point, of 2")
    color_drop: float = Field(0.1, ge=0, le=1, description="probability that a scene loses its colours")


class TrainingConfig(StageConfig):
    """Which network learns from the pseudo-labels, and how."""

    network: str | Path | None = Field(
        None,
        description="spformer, pointgroup, or one of your own: mypackage.net:Net, or ./net.py:Net for a class in a "
        "file; null: no network is trained",
    )
    options: dict[str, Any] = Field({}, description="keyword arguments of the network")
    uncertainty: Literal["kl", "mse", "none"] = Field(
        "kl",
        description="how the network learns the labels' mean and variance: kl (GaPro, eq. (3)), mse (squared errors) "
        "or none",
    )
    steps: int = Field(800, ge=1, description="steps of the first round")
    batch_size: int = Field(1, ge=1, description="scenes that pass through the network together, over all GPUs")
    accumulate: int = Field(1, ge=1, description="batches that each step learns from, one after the other")
    learning_rate: float = Field(3e-3, gt=0, description="largest rate of AdamW")
    weight_decay: float = Field(0.02, ge=0, description="weight decay of AdamW")
    warmup_steps: int = Field(50, ge=0, description="steps over which the learning rate rises")
    schedule: Literal["cosine", "polynomial"] = Field("cosine", description="how the learning rate falls to 0")
    clip: float = Field(5.0, gt=0, description="largest norm of the gradient")
    precision: Literal["32", "bf16-mixed", "16-mixed"] = Field(
        "32", description="in which the network computes: 32, or bf16-mixed, or on a GPU 16-mixed"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="cpu, cuda, or auto: a GPU where there is one; on a CPU training repeats to the bit"
    )
    devices: int = Field(1, ge=1, description="GPUs (processes where device is cpu) that train together, by torchrun")
    checkpoint_every: int = Field(100, ge=1, description="steps after which an interrupted training goes on at most")
    validate_every: int = Field(200, ge=1, description="steps between two validations on the scenes of splits.val")
    crop_points: int | None = Field(
        None, ge=1, description="points of a scene that a step learns from at most, the others are cut off; null: all"
    )
    augmentation: AugmentationConfig = Field(AugmentationConfig(), description="random changes of scenes")
    initial: Literal["previous", "scratch"] = Field(
        "previous", description="weights that later rounds start from: those of the round before, or new ones"
    )
    later_steps: int | None = Field(None, ge=1, description="steps of each later round; null: as many as in the first")

    @field_validator("network")
    @classmethod
    def _known(cls, network: str | Path | None) -> str | Path | None:
        """A file becomes a path, which then counts from the file that names it; of others there must be one."""
        if network is None:
            return None
        from stages.training.networks.load import network_version

        place = str(network).rpartition(":")[0]
        if place.endswith(".py"):
            return Path(network)
        network_version(str(network), Path())
        return network
