"""The inference stage: what the network of this round finds in each scene."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import ConfigurationError, SceneError, StoreError
from pipeline.stage import Array, Result, SceneJob, SceneStage, StageConfig
from stages.inference.config import InferenceConfig
from stages.training.config import NETWORK, no_training

if TYPE_CHECKING:
    import torch

    from stages.training.network import Network


class Inference(SceneStage):
    """Masks, classes, scores, means and variances of the objects found, and deep features of all regions."""

    name = "inference"
    version = 2
    Config: ClassVar[type[StageConfig]] = InferenceConfig
    inputs = ("scenes", "superpoints", "training")
    config: InferenceConfig

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        """Without a network there is nothing to predict with."""
        return no_training(sections)

    def run_scene(self, job: SceneJob) -> Result:
        """The predictions for one scene.

        Raises SceneError where the network gives no numbers, ConfigurationError where there is no GPU as configured.
        """
        import torch

        from stages.inference.predict import predict
        from stages.inference.records import to_arrays
        from stages.stores import read_scene, read_superpoints
        from stages.training.accelerator import choose_device
        from stages.training.batch import collate
        from stages.training.scenes import training_scene

        try:
            device = torch.device(choose_device(self.config.device, section=self.name))
        except ValueError as error:
            raise ConfigurationError(f"inference: {error}") from error
        path = job.inputs["training"] / NETWORK
        network, class_names = _trained(path, _changed(path), device)
        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        generator = torch.Generator().manual_seed(job.seed)
        try:
            batch = collate([training_scene(scene, superpoints.superpoint, None)]).to(device)
            (predictions,) = predict(network, batch, generator, self.config.most_proposals)
        except ValueError as error:
            raise SceneError(str(error)) from error
        return Result(
            {name: Array(values, dimensions) for name, (values, dimensions) in to_arrays(predictions).items()},
            {"scene": job.scene, "class_names": list(class_names)},
            {"proposals": float(len(predictions))},
            () if len(predictions) else ("the network finds no object",),
        )


def _changed(path: Path) -> int:
    """When the file was written, so that one written anew is loaded anew."""
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}; run again with --force training") from error


@lru_cache(maxsize=1)
def _trained(path: Path, changed: int, device: torch.device) -> tuple[Network, tuple[str, ...]]:  # noqa: ARG001
    """The trained network and the names of its classes, loaded once for all scenes of this process."""
    from stages.training.checkpoint import read_network
    from stages.training.networks.load import build_network

    try:
        stored = read_network(path)
    except ValueError as error:
        raise StoreError(f"{path}: {error}; run again with --force training") from error
    try:
        network = build_network(stored.name, len(stored.class_names), stored.options, Path())
        network.load_state_dict(stored.weights)
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())  # torch names what is missing in lines of their own
        raise StoreError(
            f"{path} does not fit the code of network {stored.name}: {reason} Run again with --force training"
        ) from error
    return network.to(device), tuple(stored.class_names)
