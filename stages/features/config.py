"""Configuration of the features stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.stage import StageConfig


class FeaturesConfig(StageConfig):
    """What the Gaussian Processes compare."""

    columns: tuple[Literal["position", "color", "normal"], ...] = Field(
        ("position", "color", "normal"),
        min_length=1,
        description="parts of a region's feature vector; what a scan does not have is left out",
    )
    normal_weight: float = Field(1.0, gt=0, description="weight of the normal's components beside metres and colours")
    deep_weight: float = Field(
        0.0,
        ge=0,
        description="weight of the deep features of the network of the round before, beside the others; 0: none",
    )
