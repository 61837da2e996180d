"""Configuration of the posteriors stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.stage import StageConfig

EngineName = Literal["laplace", "regression", "variational", "linear"]
RuleName = Literal["none", "smallest_box", "nearest_center", "truth"]


class PosteriorsConfig(StageConfig):
    """How box membership becomes ownership."""

    engine: EngineName | RuleName = Field(
        "laplace",
        description="laplace: GP classification by Laplace's approximation; variational: the published gpytorch model; "
        "regression: exact GP on +-1; linear: ridge logistic regression; or a rule for contested regions: none (left "
        "out), smallest_box, nearest_center, truth (the ground-truth instances: the ceiling)",
    )
    margin: float = Field(0.0001, ge=0, description="metres by which boxes are grown before points are counted")
    occupancy: float = Field(0.9, gt=0, le=1, description="share of its points that puts a region into a box")
    containment: float | None = Field(
        None, ge=0, description="a box inside another one, to this many metres, takes all they share; null: never"
    )
    skip_overlap: float = Field(
        1.0, ge=0, le=1.0, description="pairs with at least this intersection over union go to the smaller box"
    )
    background: Literal["none", "floor", "planes", "boxes"] = Field(
        "none",
        description="regions that compete with the boxes as background: the slab above the lowest point, found planes "
        "of floor and walls, or the scan's own background boxes",
    )
    background_thickness: float = Field(0.1, gt=0, description="metres: thickness of the floor slab and of planes")
    evidence: tuple[Literal["straddling", "floor", "facing"], ...] = Field(
        ("straddling", "floor", "facing"),
        description="what speaks against a box although a region lies in it; with evidence, box volumes and evidence "
        "give each posterior its prior mean; none: prior mean 0",
    )
    background_reach: float = Field(0.3, gt=0, description="metres around a box from which background is learnt")
    learn: bool = Field(
        False, description="learn length scale and output scale of each pair by its evidence; else 0.5 and 1"
    )
    maximum_determined: int = Field(
        800, ge=1, description="determined regions of each side of a pair, the nearest to its contested regions"
    )
