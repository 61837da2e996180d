"""Configuration of the posteriors stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.stage import StageConfig

EngineName = Literal["graph", "laplace", "regression", "variational", "linear"]
RuleName = Literal["none", "smallest_box", "nearest_center", "prior", "truth"]


class PosteriorsConfig(StageConfig):
    """How box membership becomes ownership."""

    engine: EngineName | RuleName = Field(
        "graph",
        description="graph: one joint GP of all boxes and background on the graph of regions; or one GP a pair: "
        "laplace (classification by Laplace's approximation), variational (the published gpytorch model), regression "
        "(exact GP on +-1), linear (ridge logistic regression); or a rule for contested regions: none (left out), "
        "smallest_box, nearest_center, prior (the likeliest owner before any posterior), truth (the ground-truth "
        "instances: the ceiling)",
    )
    observations: Literal["prior", "pairs"] = Field(
        "prior",
        description="what engine graph observes of a region: its prior, or the mean of prior and posteriors of one GP "
        "a pair (laplace), which is slower, and better on clean scans with distinct colours",
    )
    margin: float = Field(0.0001, ge=0, description="metres by which boxes are grown before points are counted")
    occupancy: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of its points that puts a region into a box; null: 0.99 for regions that came with the "
        "scan, 0.9 for our own",
    )
    faces: Literal["auto", "exact", "plain", "uncertain"] = Field(
        "auto",
        description="how far the faces of boxes are trusted, where there is evidence: exact (engine graph: what "
        "touches a face belongs to its box), plain (as drawn), uncertain (off by `face_deviation`); auto: exact for "
        "scans whose points touch the faces more often than by chance, uncertain where they do not",
    )
    face_deviation: float | None = Field(
        None,
        gt=0,
        description="standard deviation of an uncertain face as a share of the box's side; null: estimated for each "
        "scan from the gaps between faces and points",
    )
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
        description="what speaks against a box although a region lies in it; evidence and box volumes make the prior "
        "of each region; none: equal shares for its boxes",
    )
    background_reach: float = Field(
        0.3, gt=0, description="metres around a box from which background is learnt (one GP a pair)"
    )
    learn: bool = Field(
        False, description="learn length scale and output scale of each pair by its evidence; else 0.5 and 1"
    )
    maximum_determined: int = Field(
        400, ge=1, description="determined regions of each side of a pair, the nearest to its contested regions"
    )
    network_weight: float = Field(
        0.25,
        ge=0,
        description="weight of the masks of the network of the round before as evidence beside boxes; 0: none",
    )
    device: str = Field(
        "cpu",
        pattern=r"^(cpu|cuda(:\d+)?)$",
        description="where Gaussian Processes are computed: cpu, or cuda (cuda:1); on cuda the pairs of all scenes of "
        "a task are solved together, and results may differ in the last digits",
    )
