"""Configuration of the superpoints stage."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.stage import StageConfig


class SuperpointsConfig(StageConfig):
    """How points become regions."""

    method: Literal["auto", "given", "mesh", "points", "singletons", "file"] = Field(
        "auto",
        description="auto: the partition that came with the scan, else its mesh, else its points; given: the scan's "
        "own partition; mesh: Felzenszwalb on mesh edges; points: Felzenszwalb on nearest neighbours; singletons: "
        "every point is a region; file: read from `path`",
    )
    path: Path | None = Field(
        None, description="for method file: folder of <scene>.npy, .npz (key superpoint), .pth or <scene>*.segs.json"
    )
    neighbors: int = Field(9, ge=1, le=64, description="nearest neighbours a point (method points)")
    normal_neighbors: int = Field(16, ge=2, le=128, description="nearest neighbours a point's normal is fitted to")
    weight: Literal["normals", "color", "both"] = Field("normals", description="what an edge weight compares")
    scale: float = Field(0.003, gt=0, description="Felzenszwalb's k: larger values give larger regions")
    minimum_size: int | None = Field(
        None, ge=1, description="points of the smallest region; null: 20 on a mesh, else 5"
    )
    split_by_boxes: Literal["auto", "always", "never"] = Field(
        "auto",
        description="cut edges whose two points lie in different boxes; auto: for method points only, whose regions "
        "straddle boxes more often than those of a mesh",
    )
    margin: float = Field(0.0001, ge=0, description="metres by which boxes are grown before regions are split by them")
    trust_pickle: bool = Field(False, description="open .pth files of method file although they may run code")
