"""ScanNet-shaped scenes: made-up furniture in the real boxes of ScanNet's scans, seen by a simulated scanner.

A file of the boxes of ScanNet's scans (arrays ``scene_id``, ``box_scene``, ``box_center``, ``box_size`` and
``box_class``) gives their number, classes, sizes and overlaps; shapes, colours and noise are those of the built-in
rooms. The truth is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.workload import Load, folder_load
from stages.scenes.classes import SCANNET18
from stages.scenes.rooms import openings, seating, storage, tables, things
from stages.scenes.rooms.pieces import Piece
from stages.scenes.rooms.scanner import Hits, Measurement, cast, measure, select, thin, unit_normals
from stages.scenes.rooms.shapes import Mesh, block, cuboid, cushion, drape, join
from stages.scenes.rooms.style import Style
from stages.structures import Boxes, Scene
from stages.typing import Float64, UInt8

NOISE = 0.003
"""metres along the ray"""
POINTS = 150_000
WALL_HEIGHT = 2.4
SCANNERS = 6
WALL, FLOOR = 1, 2
"""NYU40 ids; 0 for clutter"""
HANGING = {"door", "window", "picture", "curtain", "shower curtain"}
"""flat things: a box that is deep as well is that of one that stands across it"""
ATTENTION = 0.4
"""share of the rays on floor and walls that are kept: people aim at furniture"""
NAMES = tuple(SCANNET18)
"""of the box classes; the last, garbage bins, are otherfurniture here"""


def scannet_load(file: Path, folder: Path, count: int, seed: int, points: int = POINTS) -> Load:
    """Writes the scenes into ``folder``/scannet as .npz scans."""
    target = folder / "scannet"
    target.mkdir()
    for scene in scannet_shaped(file, count, seed, points):
        arrays = {name: getattr(scene, name) for name in ("xyz", "rgb", "instance", "semantic")}
        np.savez(target / f"{scene.scene}.npz", **arrays)
    return folder_load(f"ScanNet-shaped scenes, {points:,} points", target)


def scannet_shaped(file: Path, count: int, seed: int, points: int) -> Iterator[Scene]:
    """A seeded sample of the scans in ``file`` that have boxes; the same arguments give the same bytes."""
    with np.load(file, allow_pickle=False) as arrays:
        owner, center, size = arrays["box_scene"], arrays["box_center"], arrays["box_size"]
        kind, name = arrays["box_class"], arrays["scene_id"]
    for scan in np.random.default_rng(seed).permutation(np.unique(owner))[:count]:
        mine = owner == scan
        half = size[mine].astype(np.float64) / 2
        corners = np.concatenate([center[mine] - half, center[mine] + half], axis=1)
        yield furnished(corners, [NAMES[k] for k in kind[mine]], [seed, int(scan)], f"shaped_{name[scan]}", points)


def furnished(corners: Float64[np.ndarray, "K 6"], kinds: list[str], seed: list[int], scene: str, points: int) -> Scene:
    """A scan of one room whose objects fill ``corners``; walls stand at the hull of the boxes."""
    rng = np.random.default_rng(seed)
    style = Style(rng)
    low, high = corners[:, :3].min(axis=0), corners[:, 3:].max(axis=0)
    low[:2], high[:2] = low[:2] - 0.05, high[:2] + 0.05
    high[2] = max(high[2], low[2] + WALL_HEIGHT)
    meshes = [thing(kind, box, low, high, style) for kind, box in zip(kinds, corners, strict=True)]
    rest, rest_semantic = surroundings(corners, kinds, low, high, style)
    mesh = join([*meshes, *rest])
    part_of = np.repeat(np.arange(len(meshes) + len(rest)), [len(part) for part in [*meshes, *rest]])
    semantic = np.array([*(SCANNET18[kind] for kind in kinds), *rest_semantic], np.int32)
    share = np.where(np.isin(semantic, (FLOOR, WALL)), ATTENTION, 1.0)[part_of]
    scan = _scan(mesh.triangles, share, scanner_positions(corners, low, high, rng), points, rng)
    owner = part_of[scan.triangle]
    return Scene(
        scene=scene,
        xyz=scan.xyz.astype(np.float32),
        boxes=Boxes.empty(),
        rgb=_colors(scan, mesh, rng),
        instance=np.where(owner < len(meshes), owner, -1).astype(np.int32),
        semantic=semantic[owner],
        instance_class=np.array([NAMES.index(kind) for kind in kinds], np.int32),
        class_names=NAMES,
        frame="axis_aligned",
    )


def thing(
    kind: str,
    box: Float64[np.ndarray, " 6"],
    low: Float64[np.ndarray, " 3"],
    high: Float64[np.ndarray, " 3"],
    style: Style,
) -> Mesh:
    """One object that fills its box, its back to the nearest wall of the room [low, high]; chairs look anywhere."""
    width, depth, height = np.maximum(box[3:] - box[:3], 0.02)
    walls = np.array([box[1] - low[1], high[0] - box[3], high[1] - box[4], box[0] - low[0]])
    turn = int(walls.argmin()) * np.pi / 2
    if kind == "chair":
        turn = float(style.rng.uniform(0, 2 * np.pi))
    elif kind in HANGING:
        turn = 0.0 if width >= depth else np.pi / 2
        if min(width, depth) > 0.25:
            turn = float(np.arctan2(depth, width)) * (1 if style.rng.random() < 0.5 else -1)
    across, along = (width, depth) if abs(np.sin(turn)) < 0.5 else (depth, width)
    mesh = SHAPES[kind](style, float(across), float(along), float(height)).placed(yaw=turn)
    first, last = mesh.triangles.min(axis=(0, 1)), mesh.triangles.max(axis=(0, 1))
    stretch = np.maximum(box[3:] - box[:3], 0.0) / np.maximum(last - first, 1e-6)
    return Mesh((mesh.triangles - first) * stretch + box[:3], mesh.paint)


def _chair(style: Style, *_: float) -> Mesh:
    makers = (seating.kitchen_chair, seating.office_chair, seating.armchair)
    return makers[int(style.rng.integers(3))](style).mesh


def _table(style: Style, width: float, depth: float, height: float) -> Mesh:
    if style.rng.random() < 0.3:
        return tables.round_table(style, width, height).mesh
    return tables.table(style, width, depth, height).mesh


def _counter(style: Style, width: float, depth: float, height: float) -> Mesh:
    return cuboid((-width / 2, 0.0, 0.0), (width / 2, depth, height), style.furniture())


def _cloth(style: Style, width: float, depth: float, height: float) -> Mesh:
    return drape(width, height, max(3, round(width / 0.15)), depth, style.fabric())


def _toilet(style: Style, *_: float) -> Mesh:
    white = style.white()
    bowl = cushion((0.0, 0.4, 0.0), (0.36, 0.5, 0.42), white, roundness=0.6)
    return join([bowl, block((0.0, 0.1, 0.3), (0.4, 0.2, 0.5), white)])


def _basin(style: Style, width: float, depth: float, height: float) -> Mesh:
    white, half, rim = style.white(), width / 2, 0.1 * min(width, depth)
    shell = cuboid((-half, 0.0, 0.0), (half, depth, height), white, ("+z",))
    inside = cuboid((rim - half, rim, height / 4), (half - rim, depth - rim, height), white, ("+z",))
    return join([shell, inside])


def _joined(pieces: Sequence[Piece]) -> Mesh:
    return join(part.mesh for part in pieces)


SHAPES: dict[str, Callable[[Style, float, float, float], Mesh]] = {
    "cabinet": lambda style, width, depth, height: storage.cabinet(style, width, depth, height).mesh,
    "bed": lambda style, width, depth, _: _joined(seating.bed(style, width, depth)),
    "chair": _chair,
    "sofa": lambda style, width, depth, _: seating.sofa(style, width, depth).mesh,
    "table": _table,
    "door": lambda style, width, _, height: openings.door(style, width, height).mesh,
    "window": lambda style, width, _, height: openings.window(style, width, 0.9, 0.9 + height).mesh,
    "bookshelf": lambda style, width, depth, height: _joined(storage.bookshelf(style, width, depth, height)),
    "picture": lambda style, width, _, height: openings.picture(style, width, height).mesh,
    "counter": _counter,
    "desk": lambda style, width, depth, height: tables.desk(style, width, depth, height).mesh,
    "curtain": _cloth,
    "refrigerator": lambda style, *_: storage.refrigerator(style).mesh,
    "shower curtain": _cloth,
    "toilet": _toilet,
    "sink": _basin,
    "bathtub": _basin,
    "otherfurniture": lambda style, *_: things.bin_(style).mesh,
}
"""A thing of about a width, depth and height that looks towards +y."""


def surroundings(
    corners: Float64[np.ndarray, "K 6"],
    kinds: list[str],
    low: Float64[np.ndarray, " 3"],
    high: Float64[np.ndarray, " 3"],
    style: Style,
) -> tuple[list[Mesh], list[int]]:
    """Floor, walls, clutter on the floor and on tables, and their NYU40 ids."""
    rng, thickness, plaster = style.rng, 0.02, style.plaster()
    meshes = [cuboid((low[0], low[1], low[2] - thickness), (high[0], high[1], low[2]), style.flooring())]
    for axis in (0, 1):
        for side, outward in ((low, -thickness), (high, thickness)):
            first, last = low.copy(), high.copy()
            first[axis], last[axis] = min(side[axis], side[axis] + outward), max(side[axis], side[axis] + outward)
            meshes.append(cuboid(first, last, plaster))
    semantic = [FLOOR, *[WALL] * 4]
    for _ in range(int((high - low)[:2].prod() / 6)):
        x, y = rng.uniform(low[:2], high[:2])
        meshes.append(things.floor_clutter(style).mesh.placed(x, y, low[2], rng.uniform(0, 2 * np.pi)))
        semantic.append(0)
    for box, kind in zip(corners, kinds, strict=True):
        if kind in ("table", "desk", "counter"):
            x, y = rng.uniform(0.7 * box[:2] + 0.3 * box[3:5], 0.3 * box[:2] + 0.7 * box[3:5])
            meshes.append(things.tabletop(style).mesh.placed(x, y, box[5], rng.uniform(0, 2 * np.pi)))
            semantic.append(0)
    return meshes, semantic


def scanner_positions(
    corners: Float64[np.ndarray, "K 6"],
    low: Float64[np.ndarray, " 3"],
    high: Float64[np.ndarray, " 3"],
    rng: np.random.Generator,
) -> Float64[np.ndarray, "V 3"]:
    """Places 1 to 1.8 m above the floor, far from each other among those that are clearest of the boxes."""
    candidate = rng.uniform(low[:2] + 0.1, high[:2] - 0.1, (200, 2))
    beyond = np.maximum(corners[None, :, :2] - candidate[:, None], candidate[:, None] - corners[None, :, 3:5])
    clearance = beyond.max(axis=2).min(axis=1)
    candidate = candidate[np.argsort(-clearance, kind="stable")[: max(60, int((clearance > 0.1).sum()))]]
    chosen = [candidate[0]]
    while len(chosen) < SCANNERS:
        apart = np.min([np.linalg.norm(candidate - one, axis=1) for one in chosen], axis=0)
        chosen.append(candidate[int(np.argmax(apart))])
    return np.column_stack([np.array(chosen), low[2] + rng.uniform(1.0, 1.8, SCANNERS)])


def _scan(
    triangles: Float64[np.ndarray, "T 3 3"],
    share: Float64[np.ndarray, " T"],
    origins: Float64[np.ndarray, "V 3"],
    points: int,
    rng: np.random.Generator,
) -> Measurement:
    """Exactly ``points`` points of all scanners together, a ``share`` of the hits of each triangle."""
    normals = unit_normals(triangles)
    hits: list[Hits] = []
    kept, resolution = 0, 64
    while kept < points:
        sweep = [thin(cast(triangles, origin, resolution, rng), normals, rng) for origin in origins]
        sweep = [select(one, rng.random(len(one.distance)) < share[one.triangle]) for one in sweep]
        found = sum(len(one.distance) for one in sweep)
        kept, hits = kept + found, hits + sweep
        # as many rays as are missing, by the share that came back
        resolution = min(2048, int(resolution * np.sqrt(max(points - kept, 0) / max(found, 1))) + 8)
    scan = measure(hits, np.tile(origins, (len(hits) // len(origins), 1)), NOISE, 0.0, rng)
    chosen = rng.permutation(len(scan.xyz))[:points]
    return Measurement(scan.xyz[chosen], scan.triangle[chosen], scan.direction[chosen], scan.scanner[chosen])


def _colors(scan: Measurement, mesh: Mesh, rng: np.random.Generator) -> UInt8[np.ndarray, "N 3"]:
    """Paint and its grain, light from above, noise."""
    seen = mesh.paint[scan.triangle]
    grain = np.sin(2 * np.pi * (seen[:, 3:6] * scan.xyz).sum(axis=1))
    light = 0.8 + 0.2 * np.abs(unit_normals(mesh.triangles)[scan.triangle, 2])
    color = seen[:, :3] * ((1 + seen[:, 6] * grain) * light)[:, None] + 0.02 * rng.standard_normal((len(seen), 3))
    rounded: UInt8[np.ndarray, "N 3"] = np.round(np.clip(color, 0, 1) * 255).astype(np.uint8)
    return rounded
