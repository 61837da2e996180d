"""Coloured point clouds or meshes that any viewer opens: by object, by uncertainty, by source of the label."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np

from stages.export.base import Format, Written
from stages.export.parts import frame_facts, kept_faces, left_out, near_xyz
from stages.export.scene import IGNORED, LabelledScene
from stages.structures import LabelSource
from stages.typing import Float32, Int32, UInt8

_GOLDEN = 0.6180339887498949
"""steps of this share of the circle never come near an earlier hue"""
_SHADES = ((0.85, 0.95), (0.55, 1.0), (0.95, 0.65))
"""saturation and value"""
_IGNORED = (0, 0, 0)
_GREY = 140
_DARK_TO_BRIGHT = np.array([(20, 20, 60), (110, 40, 130), (220, 80, 80), (250, 160, 60), (255, 245, 170)])
"""colours of uncertainty 0, 1/4, ..., 1: from dark to bright, in black and white as well"""
_SOURCES = {
    LabelSource.BACKGROUND: (150, 150, 150),
    LabelSource.SINGLE_BOX: (60, 110, 220),
    LabelSource.CONTAINMENT: (70, 200, 220),
    LabelSource.GP: (245, 150, 40),
    LabelSource.FALLBACK: (215, 40, 40),
    LabelSource.RULE: (140, 80, 190),
    LabelSource.TRUTH: (60, 170, 75),
    LabelSource.HUMAN: (235, 90, 180),
    LabelSource.NONE: _IGNORED,
}
_CORNERS = 3


class Ply(Format):
    """``{object,uncertainty,source}/<scene>.ply``: binary, little-endian, with faces where the scan has a mesh.

    x, y, z float32, metres, raw frame (minus a shift where that is more than a kilometre away: the header names both);
    red, green, blue uint8; and as properties what the colours show: object int32 (-1
    background, -2 to be ignored) and class_index int32, uncertainty and variance float32, source uint8. The comments
    of the header are the legend.
    """

    name = "ply"
    version = 1
    reader = "CloudCompare, MeshLab, Open3D and other viewers"

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The three files of a scene, and which points were kept where some are not finite."""
        xyz, shift = near_xyz(labelled)
        facts, faces = frame_facts(labelled, shift), kept_faces(labelled)
        frame = [f"{name}: {value}" for name, value in facts.items()]
        files = {
            f"{name}/{labelled.name}.ply": ply_bytes(xyz, color, values, faces, frame + legend)
            for name, color, values, legend in (_by_object(labelled), _by_uncertainty(labelled), _by_source(labelled))
        }
        return Written(files | left_out(labelled), facts)


def object_colors(count: int) -> UInt8[np.ndarray, "K 3"]:
    """A colour for each object; those of neighbours in the list differ most."""
    colors = [colorsys.hsv_to_rgb(k * _GOLDEN % 1, *_SHADES[k % len(_SHADES)]) for k in range(count)]
    return np.rint(np.array(colors, np.float64).reshape(-1, 3) * 255).astype(np.uint8)


def uncertainty_colors(uncertainty: Float32[np.ndarray, " M"]) -> UInt8[np.ndarray, "M 3"]:
    """From dark (0) to bright (1), linear between five colours."""
    steps = np.linspace(0, 1, len(_DARK_TO_BRIGHT))
    return (
        np.stack([np.interp(uncertainty, steps, channel) for channel in _DARK_TO_BRIGHT.T], axis=1)
        .round()
        .astype(np.uint8)
    )


def ply_bytes(
    xyz: Float32[np.ndarray, "M 3"],
    color: UInt8[np.ndarray, "M 3"],
    values: dict[str, np.ndarray],
    faces: Int32[np.ndarray, "F 3"] | None,
    comments: Sequence[str],
) -> bytes:
    """One binary little-endian PLY file; ``values`` are further properties of points [M] in uint8, int32 or float32."""
    kinds = {"u1": "uchar", "i4": "int", "f4": "float"}
    columns = {
        **{axis: xyz[:, place] for place, axis in enumerate(("x", "y", "z"))},
        **{name: color[:, place] for place, name in enumerate(("red", "green", "blue"))},
        **values,
    }
    vertices = np.empty(len(xyz), [(name, column.dtype.newbyteorder("<")) for name, column in columns.items()])
    for name, column in columns.items():
        vertices[name] = column
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in comments)]
    header += [f"element vertex {len(xyz)}"]
    header += [f"property {kinds[column.dtype.str[1:]]} {name}" for name, column in columns.items()]
    rows = b""
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
        listed = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", (_CORNERS,))])
        listed["count"], listed["corners"] = _CORNERS, faces
        rows = listed.tobytes()
    head = "\n".join([*header, "end_header"]) + "\n"
    return head.encode("ascii", "replace") + vertices.tobytes() + rows


_View = tuple[str, UInt8[np.ndarray, "M 3"], dict[str, np.ndarray], list[str]]


def _by_object(labelled: LabelledScene) -> _View:
    """Objects in colours of their own over a grey scan; what is to be ignored is black."""
    labels, owner = labelled.labels, labelled.owner[labelled.kept]
    palette, index = object_colors(len(labels.boxes)), labels.boxes.class_index
    color = _grey(labelled)
    color[owner == IGNORED] = _IGNORED
    color[owner >= 0] = palette[owner[owner >= 0]]
    kinds = np.append(index, np.int32(-1))[np.maximum(owner, -1)]
    names = [_word(labels.class_names[one]) if one >= 0 else "unknown" for one in index]
    legend = [f"object {k} {name} {_rgb(palette[k])}" for k, name in enumerate(names)]
    legend += ["object -1 background in grey", f"object -2 to_be_ignored {_rgb(_IGNORED)}"]
    legend += [f"class_index {number} {_word(name)}" for number, name in enumerate(labels.class_names)]
    return "object", color, {"object": owner.astype(np.int32), "class_index": kinds.astype(np.int32)}, legend


def _by_uncertainty(labelled: LabelledScene) -> _View:
    """Entropy over possible owners; the largest variance of a label toward any object beside it."""
    labels, kept = labelled.labels, labelled.kept
    uncertainty = labelled.at_points(labels.uncertainty, 0.0)[kept]
    variance = labelled.at_points(labels.variance.max(axis=0, initial=0).astype(np.float32), 0.0)[kept]
    steps = np.linspace(0, 1, len(_DARK_TO_BRIGHT), dtype=np.float32)
    legend = [f"uncertainty {step:.2f} {_rgb(color)}" for step, color in zip(steps, _DARK_TO_BRIGHT, strict=True)]
    values = {"uncertainty": uncertainty, "variance": variance}
    return "uncertainty", uncertainty_colors(uncertainty), values, legend


def _by_source(labelled: LabelledScene) -> _View:
    """Who decided the label."""
    source = labelled.at_points(labelled.labels.source, float(LabelSource.NONE))[labelled.kept]
    palette = np.array([_SOURCES[member] for member in LabelSource], np.uint8)
    legend = [f"source {int(member)} {member.name.lower()} {_rgb(_SOURCES[member])}" for member in LabelSource]
    return "source", palette[source], {"source": source}, legend


def _grey(labelled: LabelledScene) -> UInt8[np.ndarray, "M 3"]:
    """The scan in muted grey, so that the colours of objects stand out; plain grey for a scan without colours."""
    shade = np.full(len(labelled.kept), _GREY, np.uint8)
    if labelled.scene.rgb is not None:
        light = labelled.scene.rgb[labelled.kept] @ np.array([0.299, 0.587, 0.114])
        shade = (60 + 0.5 * light).astype(np.uint8)
    return np.repeat(shade[:, None], 3, axis=1)


def _word(name: str) -> str:
    """A name without blanks or line breaks, which would end a comment."""
    return "_".join(name.split())


def _rgb(color: Sequence[int] | np.ndarray) -> str:
    return " ".join(str(int(channel)) for channel in color)
