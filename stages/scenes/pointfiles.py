"""Arrays of one scan from .npz, .ply and .pcd files, each checked for shape, type and length."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile

from pipeline.errors import DependencyError
from stages.scenes.checks import error, warning
from stages.scenes.plyfiles import EXPORT_AGAIN, refuse_truncated_ply
from stages.scenes.scan import Finding, GivenBoxes, ScanError
from stages.typing import Bool, Float32, UInt8

_UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass
class PointFile:
    """The arrays of one file by the names of ``Scan``, and what is wrong with the others."""

    file: Path
    arrays: dict[str, Any] = field(default_factory=dict)
    boxes: GivenBoxes | None = None
    findings: list[Finding] = field(default_factory=list)

    def take(self, archive: NpzFile, key: str, kinds: str, shape: tuple[int | str, ...]) -> np.ndarray | None:
        """Array ``key`` if it is there with a dtype kind and shape that fit (a string in ``shape`` fits any length).

        Integers come back as int64. What does not fit gives a finding and None; raises ScanError for an array that
        cannot be read.
        """
        if key not in archive:
            return None
        try:
            values = archive[key]
        except _UNREADABLE as problem:
            raise ScanError(f"{self.file}: key '{key}' cannot be read ({problem})", EXPORT_AGAIN) from problem
        fits = len(values.shape) == len(shape) and all(
            isinstance(wanted, str) or wanted == found for wanted, found in zip(shape, values.shape, strict=True)
        )
        if fits and values.dtype.kind in kinds:
            return values.astype(np.int64) if kinds == "iu" else values
        names = " or ".join({"f": "floating point", "i": "integer", "u": "unsigned"}[kind] for kind in kinds)
        expected = f"({', '.join(str(length) for length in shape)}{',' * (len(shape) == 1)})"
        what = f"{self.file}: key '{key}' is {values.dtype} {values.shape}, expected {names} {expected}"
        self.findings.append(error(what, "save it in that form; lengths must agree with those of the points or boxes"))
        return None


def read_npz(file: Path, box_key: str) -> PointFile:
    """Arrays of an .npz file; raises ScanError where it cannot be opened or has no usable ``xyz``."""
    result = PointFile(file)
    try:
        with file.open("rb") as stream:  # np.load leaves a file open that it cannot read
            archive = np.load(stream, allow_pickle=False)
            if not isinstance(archive, NpzFile):
                raise ScanError(f"{file}: a single array, not an .npz archive", "save it with np.savez(file, xyz=...)")
            _read_points(result, archive)
            _read_boxes(result, archive, box_key)
    except _UNREADABLE as problem:
        # numpy takes what is no archive for a pickle, and would advise to trust it
        foreign = not isinstance(problem, OSError) and not zipfile.is_zipfile(file)
        reason = "it is no zip archive, or was cut off" if foreign else problem
        raise ScanError(f"{file}: not a readable .npz file ({reason})", EXPORT_AGAIN) from problem
    return result


def _read_points(result: PointFile, archive: NpzFile) -> None:
    if "xyz" not in archive:
        keys = ", ".join(archive) or "none"
        raise ScanError(f"{result.file}: no key 'xyz' (keys: {keys})", "save the points as `xyz`, float [N,3], metres")
    xyz = result.take(archive, "xyz", "f", ("N", 3))
    if xyz is None:
        raise ScanError(result.findings[-1].message, result.findings[-1].remedy)
    result.arrays["xyz"] = xyz.astype(np.float64)
    points = len(xyz)
    if (rgb := result.take(archive, "rgb", "fiu", (points, 3))) is not None:
        result.arrays["rgb"] = color_bytes(rgb, result)
    if (normals := result.take(archive, "normals", "f", (points, 3))) is not None:
        result.arrays["normals"] = finite_normals(normals, result)
    result.arrays["faces"] = result.take(archive, "faces", "iu", ("F", 3))
    for key in ("superpoint", "instance", "semantic"):
        result.arrays[key] = result.take(archive, key, "iu", (points,))
    if result.arrays["semantic"] is not None:
        result.arrays["semantic"] = result.arrays["semantic"].astype(np.int32)


def _read_boxes(result: PointFile, archive: NpzFile, box_key: str) -> None:
    background = result.take(archive, "background_boxes", "fiu", ("B", 6))
    result.arrays["background_boxes"] = None if background is None else background.astype(np.float64)
    if box_key not in archive and box_key != "boxes":
        what = f"{result.file}: no key '{box_key}'"
        result.findings.append(warning(what, "boxes are made from the instances; see `box_key`"))
    corners = result.take(archive, box_key, "fiu", ("K", 6))
    if corners is None:
        return
    stem = box_key.removesuffix("boxes") + "box"
    none = np.full(len(corners), -1, np.int64)
    class_index = result.take(archive, f"{stem}_class", "iu", (len(corners),))
    instance = result.take(archive, f"{stem}_instance", "iu", (len(corners),))
    result.boxes = GivenBoxes(
        corners.astype(np.float64),
        (none if class_index is None else class_index).astype(np.int32),
        (none if instance is None else instance).astype(np.int64),
    )


def color_bytes(rgb: np.ndarray, result: PointFile) -> UInt8[np.ndarray, "N 3"] | None:
    """Colours as uint8: integers in 0..255, or floating point in [0, 1]; else a finding and None."""
    if rgb.dtype == np.uint8:
        return np.asarray(rgb)
    floating = rgb.dtype.kind == "f"
    finite = np.isfinite(rgb)
    if not finite.all():
        count = np.count_nonzero(~finite.all(axis=1))
        result.findings.append(warning(f"{result.file}: {count} colours are not finite", "they are read as black"))
        rgb = np.where(finite, rgb, 0)
    highest = 1 if floating else 255
    if rgb.size and (rgb.min() < 0 or rgb.max() > highest + 1e-6):
        what = (
            f"{result.file}: key 'rgb' is {rgb.dtype} with values {rgb.min():g}..{rgb.max():g}, expected 0..{highest}"
        )
        result.findings.append(error(what, "save colours as uint8 in 0..255, or floating point in [0, 1]"))
        return None
    return np.asarray(np.rint(np.minimum(rgb, highest) * (255 if floating else 1)).astype(np.uint8))


def finite_normals(normals: np.ndarray, result: PointFile) -> Float32[np.ndarray, "N 3"]:
    """Normals in float32; those that are not finite become zeros, with a warning."""
    normals = normals.astype(np.float32)
    finite: Bool[np.ndarray, " N"] = np.isfinite(normals).all(axis=1)
    if not finite.all():
        what = f"{result.file}: {np.count_nonzero(~finite)} normals are not finite"
        result.findings.append(warning(what, "they are replaced by zeros"))
    return np.where(finite[:, None], normals, np.float32(0))


def read_open3d(file: Path) -> PointFile:
    """Points, colours, normals (and triangles) of a .ply or .pcd file, as Open3D reads it.

    Raises ScanError for truncated or foreign files, DependencyError where Open3D is missing.
    """
    try:
        data = file.read_bytes()
    except OSError as problem:
        raise ScanError(f"{file}: cannot be read ({problem.strerror})", EXPORT_AGAIN) from problem
    mesh = False
    if file.suffix.lower() == ".ply":
        faces = refuse_truncated_ply(data, file).element("face")
        mesh = faces is not None and faces.count > 0
    else:
        refuse_truncated_pcd(data, file)
    result = PointFile(file)
    xyz, colors, normals, faces_array = _open3d_arrays(file, mesh)
    result.arrays["xyz"] = xyz
    if len(colors) == len(xyz):
        result.arrays["rgb"] = color_bytes(colors, result)
    if len(normals) == len(xyz):
        result.arrays["normals"] = finite_normals(normals, result)
    if mesh:
        result.arrays["faces"] = faces_array
    return result


def _open3d_arrays(file: Path, mesh: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    try:
        import open3d
    except (ImportError, OSError) as problem:  # OSError: a system library that Open3D links to
        raise DependencyError(
            f"{file}: .ply and .pcd files need Open3D, which cannot be imported ({problem}); pip install open3d-cpu "
            "(Linux x86-64) or open3d and its system libraries (libgl1, libgomp1), or save the scan as .npz"
        ) from problem
    # its remarks go to standard output; what they say is found out before (truncation) and after (no points)
    with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
        if mesh:
            surface = open3d.io.read_triangle_mesh(file)
            triangles = np.array(surface.triangles)
            return (
                np.array(surface.vertices),
                np.array(surface.vertex_colors),
                np.array(surface.vertex_normals),
                triangles,
            )
        # points that are not finite keep their place
        cloud = open3d.io.read_point_cloud(file, remove_nan_points=False, remove_infinite_points=False)
        return np.array(cloud.points), np.array(cloud.colors), np.array(cloud.normals), None


def refuse_truncated_pcd(data: bytes, file: Path) -> None:
    """Raises ScanError where a .pcd file is none, or holds less than its header promises.

    Open3D returns uninitialised memory for binary and ASCII files that are cut off.
    """
    head, _, rest = data.partition(b"\nDATA ")
    entries = {
        line.split()[0]: line.split()[1:] for line in head.decode("ascii", "replace").splitlines() if line.split()
    }
    encoding, newline, body = rest.partition(b"\n")
    try:
        points = int(entries["POINTS"][0])
        sizes = [int(size) for size in entries["SIZE"]]
        counts = [int(count) for count in entries.get("COUNT", ["1"] * len(sizes))]
    except (KeyError, ValueError, IndexError) as problem:
        raise ScanError(f"{file}: not a PCD file, or cut off in its header", EXPORT_AGAIN) from problem
    match encoding.strip() if newline else b"":
        case b"ascii":
            complete = len(body.split(b"\n")) - body.endswith(b"\n") >= points
        case b"binary":
            complete = len(body) >= points * sum(size * count for size, count in zip(sizes, counts, strict=False))
        case b"binary_compressed":
            complete = len(body) >= 8 and len(body) >= 8 + int.from_bytes(body[:4], "little")
        case _:
            complete = False
    if not complete:
        raise ScanError(f"{file}: cut off: fewer data than the {points} points of its header", EXPORT_AGAIN)
