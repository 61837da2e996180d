"""Configuration of the built-in rooms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from stages.scenes.classes import SCANNET18
from stages.scenes.config import SourceConfig


class RoomsConfig(SourceConfig):
    """Built-in furnished rooms, scanned without occluded surfaces; they need no files and carry exact instances."""

    source: Literal["rooms"] = "rooms"
    count: int = Field(8, ge=1, le=10_000, description="number of rooms")
    first: int = Field(
        0, ge=0, description="number of the first room (room_0000, ...); each number is a room of its own"
    )
    points: int = Field(50_000, ge=100, le=10_000_000, description="points a room, exactly")
    minimum_side: float = Field(3.0, ge=2, le=20, description="shortest side of a floor, metres")
    maximum_side: float = Field(7.0, ge=2, le=20, description="longest side of a floor, metres")
    density: float = Field(
        1.0,
        ge=0,
        le=3,
        description="groups of furniture per 1.5 m² of floor that are tried; what finds no space is left out",
    )
    scanner_noise: float = Field(
        0.003, ge=0, le=0.1, description="standard deviation of the scanner's error along its ray, metres"
    )
    occlusion: bool = Field(
        True,
        description="false: rays pass through things, so that surfaces are complete where no scanner could see them",
    )

    @model_validator(mode="after")
    def _consistent(self) -> RoomsConfig:
        if self.minimum_side > self.maximum_side:
            raise ValueError(f"minimum_side {self.minimum_side} is larger than maximum_side {self.maximum_side}")
        if self.boxes_from == "given":
            raise ValueError("built-in rooms have no given boxes; use boxes_from auto or instances")
        unknown = [name for name in self.class_names if name not in SCANNET18]
        if unknown:
            raise ValueError(f"no such class in built-in rooms: {', '.join(unknown)}; there are {', '.join(SCANNET18)}")
        return self
