"""Source of the built-in rooms: their names, and each as a raw scan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.stage import Source
from stages.scenes.classes import SCANNET18
from stages.scenes.rooms_config import RoomsConfig

if TYPE_CHECKING:
    from stages.scenes.scan import Scan


def discover(config: RoomsConfig) -> list[Source]:
    """``room_0000`` and so on, without files."""
    return [Source(f"room_{number:04d}") for number in range(config.first, config.first + config.count)]


def read(scene: str, seed: int, config: RoomsConfig) -> Scan:
    """The scan of one room; ``seed`` and the configuration alone decide what is in it."""
    import numpy as np

    from stages.scenes.rooms.build import build_room
    from stages.scenes.scan import Scan

    room = build_room(
        seed,
        scene=scene,
        points=config.points,
        minimum_side=config.minimum_side,
        maximum_side=config.maximum_side,
        density=config.density,
        scanner_noise=config.scanner_noise,
        occlusion=config.occlusion,
        minimum_instance_points=config.minimum_instance_points,
    )
    return Scan(
        scene=scene,
        file=Path(scene),
        xyz=room.xyz.astype(np.float64),
        rgb=room.rgb,
        instance=room.instance,
        semantic=room.semantic,
        class_ids=tuple(SCANNET18[name] for name in config.class_names),
        frame=room.frame,
    )
