"""A room from a seed: layout, scan, colours, instances."""

from __future__ import annotations

import numpy as np

from stages.scenes.classes import SCANNET18, class_of_semantic
from stages.scenes.rooms.drift import drift
from stages.scenes.rooms.layout import Room, furnish
from stages.scenes.rooms.pieces import Piece
from stages.scenes.rooms.scanner import Hits, Measurement, cast, measure, select, thin, unit_normals
from stages.scenes.rooms.shapes import join
from stages.structures import Boxes, Scene
from stages.typing import Float64, Int32, Int64, UInt8

_STRAY_SHARE = 0.0003
_COLOR_NOISE = 0.02
_DRIFT = 4.0
"""standard deviation of the drift over that of the scanner's error along its ray"""
_LIGHT = np.array([0.35, 0.25, 0.9])


def scanner_positions(room: Room, rng: np.random.Generator) -> Float64[np.ndarray, "V 3"]:
    """Three or four places at 0.7 to 1.8 m over free floor, far from each other; metres."""
    count = int(rng.integers(3, 5))
    margin = 0.4
    candidates = rng.uniform((margin, margin), (room.width - margin, room.depth - margin), (200, 2))
    clearance = np.full(len(candidates), np.inf)
    for claim in room.claims:
        local = np.abs((candidates - claim.center) @ claim.axes().T) - claim.half
        clearance = np.minimum(clearance, local.max(axis=1))
    candidates = candidates[np.argsort(-clearance, kind="stable")][: max(count, int((clearance > 0.15).sum()))]
    chosen = [candidates[0]]
    while len(chosen) < count:
        apart = np.min([np.linalg.norm(candidates - one, axis=1) for one in chosen], axis=0)
        chosen.append(candidates[int(np.argmax(apart))])
    return np.column_stack([np.array(chosen), rng.uniform(0.7, 1.8, count)])


def _attended(hits: Hits, rng: np.random.Generator) -> Hits:
    """Drops rays at random, the more the farther they are from 20° below the horizon: people aim at furniture."""
    share = np.maximum(np.exp(-(((hits.direction[:, 2] + 0.35) / 0.38) ** 2)), 0.12)
    return select(hits, rng.random(len(share)) < share)


def _scan(
    triangles: Float64[np.ndarray, "T 3 3"],
    origins: Float64[np.ndarray, "V 3"],
    points: int,
    rng: np.random.Generator,
    *,
    noise: float,
    occlusion: bool,
) -> Measurement:
    """Exactly ``points`` points, in random order, from all scanners together; they sweep until there are enough."""
    normals = unit_normals(triangles)
    hits: list[Hits] = []
    kept = 0
    while kept < points:
        resolution = int(np.sqrt((points - kept) / (0.9 * len(origins)))) + 4
        sweep = [
            thin(_attended(cast(triangles, origin, resolution, rng, occlusion=occlusion), rng), normals, rng)
            for origin in origins
        ]
        kept += sum(len(h.distance) for h in sweep)
        hits += sweep
    scan = measure(hits, np.tile(origins, (len(hits) // len(origins), 1)), noise, _STRAY_SHARE, rng)
    chosen = rng.permutation(len(scan.xyz))[:points]
    return Measurement(
        scan.xyz[chosen], scan.triangle[chosen], scan.direction[chosen], scan.scanner[chosen] % len(origins)
    )


def _colors(
    scan: Measurement, paint: Float64[np.ndarray, "T 7"], normals: Float64[np.ndarray, "T 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "N 3"]:
    """Paint, grain, light from above, a brightness of each scanner, and noise; stray points keep their ray's colour."""
    seen, normal = paint[scan.triangle], normals[scan.triangle]
    toward = -np.sign((normal * scan.direction).sum(axis=1, keepdims=True)) * normal
    wobble = np.sin(scan.xyz @ np.array([4.1, 3.3, 2.7]))
    grain = np.sin(2 * np.pi * (seen[:, 3:6] * scan.xyz).sum(axis=1) + 1.5 * wobble)
    light = 0.8 + 0.2 * (toward @ _LIGHT) / np.linalg.norm(_LIGHT)
    exposure = rng.uniform(0.94, 1.06, scan.scanner.max() + 1)[scan.scanner]
    color = seen[:, :3] * ((1 + seen[:, 6] * grain) * light * exposure)[:, None]
    color += _COLOR_NOISE * rng.standard_normal(color.shape)
    rounded: UInt8[np.ndarray, "N 3"] = np.round(np.clip(color, 0, 1) * 255).astype(np.uint8)
    return rounded


def _instances(
    owner: Int64[np.ndarray, " N"], pieces: list[Piece], minimum_points: int
) -> tuple[Int32[np.ndarray, " N"], Int32[np.ndarray, " I"]]:
    """Contiguous instance ids of the annotated pieces that kept enough points, and the class index of each."""
    class_index = class_of_semantic(np.array([part.semantic for part in pieces], np.int32), tuple(SCANNET18.values()))
    counts = np.bincount(owner[owner >= 0], minlength=len(pieces))
    kept = np.flatnonzero((class_index >= 0) & (counts >= max(minimum_points, 1)))
    instance_of = np.full(len(pieces) + 1, -1, np.int32)
    instance_of[kept] = np.arange(len(kept), dtype=np.int32)
    return instance_of[owner], class_index[kept]


def build_room(
    seed: int,
    *,
    scene: str = "room",
    points: int = 50_000,
    minimum_side: float = 3.0,
    maximum_side: float = 7.0,
    density: float = 1.0,
    scanner_noise: float = 0.003,
    occlusion: bool = True,
    minimum_instance_points: int = 30,
) -> Scene:
    """A furnished room as 3 or 4 scanner positions see it, with exact instances and no boxes.

    The same arguments give the same bytes.

    Args:
        seed: everything random comes from it.
        scene: name.
        points: exact number of points.
        minimum_side: shortest side of the floor, metres.
        maximum_side: longest side, metres.
        density: how full the room is; 0 has doors and windows only, 1 is like furnished homes.
        scanner_noise: standard deviation along the ray, metres; a third of it sideways; four times
            as much is the smooth drift of the whole scan (see ``drift``), so that 0 gives exact surfaces.
        occlusion: False shows surfaces that no scanner could see.
        minimum_instance_points: things with fewer points are not annotated.

    Returns:
        Scene with xyz, rgb, instance (walls, floor, clutter and stray points are -1) and NYU40 semantic (0 for clutter
        and stray points). There is no ceiling, as in most handheld scans.
    """
    layout_rng, scan_rng, drift_rng = (np.random.default_rng(part) for part in np.random.SeedSequence(seed).spawn(3))
    room = furnish(layout_rng, minimum_side, maximum_side, density)
    mesh = join(part.mesh for part in room.pieces)
    origins = scanner_positions(room, scan_rng)
    scan = _scan(mesh.triangles, origins, points, scan_rng, noise=scanner_noise, occlusion=occlusion)
    piece_of = np.append(np.repeat(np.arange(len(room.pieces)), [len(part.mesh) for part in room.pieces]), -1)
    owner = piece_of[scan.triangle]
    instance, instance_class = _instances(owner, room.pieces, minimum_instance_points)
    semantic = np.array([part.semantic for part in room.pieces] + [0], np.int32)
    return Scene(
        scene=scene,
        xyz=(scan.xyz + drift(scan.xyz, _DRIFT * scanner_noise, drift_rng)).astype(np.float32),
        boxes=Boxes.empty(),
        rgb=_colors(scan, mesh.paint, unit_normals(mesh.triangles), scan_rng),
        instance=instance,
        semantic=semantic[owner],
        instance_class=instance_class,
        class_names=tuple(SCANNET18),
        frame="axis_aligned",
    )
