"""What a reader hands on: the raw arrays of one scan, and what it noticed about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.errors import SceneError
from stages.typing import Float32, Float64, Int, Int32, UInt8


@dataclass(frozen=True)
class Finding:
    """Something about a scan that its owner should know: with an error the scene is refused, with a warning done."""

    severity: Literal["error", "warning"]
    message: str
    """what and where: file, key"""
    remedy: str
    """what to do"""

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}"


class ScanError(SceneError):
    """A scan cannot be read any further: message and remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.finding = Finding("error", message, remedy)

    def __str__(self) -> str:
        return str(self.finding)


@dataclass(frozen=True, eq=False)
class GivenBoxes:
    """Boxes as annotated, not yet checked."""

    corners: Float64[np.ndarray, "K 6"]
    """min x, y, z, max x, y, z in the frame of the scan, metres"""
    class_index: Int32[np.ndarray, " K"]
    """index into the declared classes, -1: of the instance, else none"""
    instance: Int[np.ndarray, " K"]
    """instance id as in the scan, -1 if unknown"""


@dataclass(frozen=True, eq=False)
class Scan:
    """Raw arrays of one scan; ids as in the file, negative ones mean none."""

    scene: str
    file: Path
    """the file that messages name"""
    xyz: Float64[np.ndarray, "N 3"]
    """metres in the frame of the scan"""
    rgb: UInt8[np.ndarray, "N 3"] | None = None
    normals: Float32[np.ndarray, "N 3"] | None = None
    faces: Int[np.ndarray, "F 3"] | None = None
    superpoint: Int[np.ndarray, " N"] | None = None
    instance: Int[np.ndarray, " N"] | None = None
    semantic: Int32[np.ndarray, " N"] | None = None
    boxes: GivenBoxes | None = None
    background_boxes: Float64[np.ndarray, "B 6"] | None = None
    """boxes of walls, floors and the like, in the frame of the scan"""
    class_ids: tuple[int, ...] | None = None
    """semantic id of each class; None where the scan's semantic ids name no classes"""
    boxed_classes: tuple[int, ...] | None = None
    """classes whose instances are annotated; None: all"""
    frame: str = "input"
    alignment: Float64[np.ndarray, "4 4"] | None = None
    """what took the file's coordinates to frame ``axis_aligned``"""
    findings: tuple[Finding, ...] = ()
