"""Configuration of the scenes stage: one class a source, all with the same options for classes and boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipeline.stage import StageConfig
from stages.scenes.classes import CLASS_LISTS, S3DIS13, SCANNET20


class BoxNoise(StageConfig):
    """Errors added to boxes, to study inexact annotation (GaPro, table 10); none by default.

    Applied in this order: drop, scale, shift, rotation, corners.
    """

    corner: float = Field(
        default=0.0, ge=0, description="standard deviation of Gaussian noise on each corner coordinate, metres"
    )
    corner_relative: float = Field(default=0.0, ge=0, description="the same as a share of the box's dimension")
    scale: float = Field(default=0.0, ge=0, lt=1, description="each dimension is scaled by 1 +- this share, uniform")
    shift: float = Field(
        default=0.0, ge=0, description="each axis is shifted by +- this share of the dimension, uniform"
    )
    rotation: float = Field(
        default=0.0,
        ge=0,
        le=180,
        description="rotation about z by +- this many degrees, uniform; then the axis-aligned hull",
    )
    drop: float = Field(default=0.0, ge=0, le=1, description="probability that a box is missing")

    @property
    def any(self) -> bool:
        """Whether boxes change at all."""
        return any(value > 0 for value in self.model_dump().values())


class SourceConfig(StageConfig):
    """What every source of scenes has in common."""

    classes: Literal["scannet18", "s3dis13"] | tuple[str, ...] = Field(
        default="scannet18", description="class names in order, or the name of a list: scannet18, s3dis13"
    )
    minimum_instance_points: int = Field(
        default=30,
        ge=1,
        description="an instance with fewer (finite) points gets no box; for boxes made from instances",
    )
    boxes_from: Literal["auto", "given", "instances"] = Field(
        default="auto", description="auto: the scan's own boxes, else those of its instances; given; instances"
    )
    noise: BoxNoise = BoxNoise()

    @field_validator("classes")
    @classmethod
    def _named_once(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, tuple) and (not value or len(set(value)) < len(value)):
            raise ValueError("class names must be a list of at least one name, each of them once")
        return value

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class names in order."""
        return CLASS_LISTS[self.classes] if isinstance(self.classes, str) else self.classes


class FolderConfig(SourceConfig):
    """A folder with one file a scene: .npz, or .ply / .pcd with ``<scene>.boxes.json``."""

    source: Literal["folder"] = "folder"
    path: Path = Field(description="the folder; files of other kinds and subfolders are ignored")
    box_key: str = Field(
        default="boxes",
        pattern=r"^\w*boxes$",
        description="key of the boxes in .npz files; their classes and instances are under the same name with "
        "`box_class` and `box_instance` in place of `boxes`",
    )
    semantic_map: Literal["auto", "scannet18", "index", "none"] = Field(
        default="auto",
        description="how key `semantic` names classes: scannet18: NYU40 ids; index: position in `classes`; none: "
        "not at all; auto: scannet18 if `classes` is that list, else index",
    )
    rotation_unit: Literal["auto", "degrees", "radians"] = Field(
        default="auto",
        description="unit of the rotations in labelCloud's files: degrees for centroid_abs, radians for centroid_rel; "
        "auto: told from the values, and refused where these fit both",
    )

    @model_validator(mode="after")
    def _nyu40_needs_scannet18(self) -> FolderConfig:
        if self.semantic_map == "scannet18" and self.class_names != CLASS_LISTS["scannet18"]:
            raise ValueError("semantic_map scannet18 needs classes scannet18; use index or none for other classes")
        return self


class ScannetConfig(SourceConfig):
    """Raw ScanNet scans: ``<path>/<scan>/<scan>_vh_clean_2.ply`` and the files beside it."""

    source: Literal["scannet"] = "scannet"
    path: Path = Field(description="the folder that holds the scan folders")
    labels_tsv: Path | None = Field(
        default=None,
        description="scannetv2-labels.combined.tsv or scannet-labels.combined.tsv; looked for in `path` and its parent "
        "when not given",
    )

    @model_validator(mode="after")
    def _known_classes(self) -> ScannetConfig:
        _refuse_unknown(self.class_names, tuple(SCANNET20), "ScanNet")
        return self


class S3disConfig(SourceConfig):
    """Raw S3DIS rooms: ``<path>/Area_k/<room>/Annotations/<class>_<i>.txt``."""

    source: Literal["s3dis"] = "s3dis"
    classes: Literal["scannet18", "s3dis13"] | tuple[str, ...] = Field(
        default="s3dis13", description="class names in order, among the 13 of S3DIS, or s3dis13"
    )
    path: Path = Field(description="the folder that holds Area_1 .. Area_6")
    boxed_classes: tuple[str, ...] | None = Field(
        default=None,
        description="classes whose instances are annotated with boxes; all of `classes` when not given, as evaluated by"
        " SoftGroup and ISBNet",
    )

    @model_validator(mode="after")
    def _known_classes(self) -> S3disConfig:
        _refuse_unknown(self.class_names, S3DIS13, "S3DIS")
        _refuse_unknown(self.boxed_classes or (), self.class_names, "`classes`")
        return self


def _refuse_unknown(names: tuple[str, ...], known: tuple[str, ...], where: str) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"no such class in {where}: {', '.join(unknown)}; there are {', '.join(known)}")
