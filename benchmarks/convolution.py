"""A training step of the U-Net beside the same network on open3d's convolutions, and its cost as scenes grow.

    python -m benchmarks.convolution [--quick] [--device cuda] [--json FILE]

Built-in rooms, one after the other until there are enough voxels of 5 cm. Both networks have the same weights; that
they say the same is checked before anything is timed. open3d searches the neighbours in every layer, ours once a batch:
a second row gives open3d what its searches found before, so that convolutions alone are compared. The process
stays on one core, as open3d takes no number of threads. Seconds are processor time, the least of some repetitions.
"""

from __future__ import annotations

import argparse
import copy
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.rendering import Figures, provenance, with_notes
from benchmarks.runs import about
from benchmarks.tables import number, table, write_json
from stages.scenes.rooms.build import build_room
from stages.training.sparse.convolution import Around, Narrow, Widen
from stages.training.sparse.tables import Parents
from stages.training.sparse.unet import UNet
from stages.training.sparse.voxels import Level, Voxels, voxelize

SIZES, QUICK = (20_000, 50_000, 100_000, 200_000), (5_000,)
COMPARED = 50_000
"""voxels that both networks are timed on, at most: open3d takes seconds"""
POINTS = 100_000
"""of a room"""
VOXEL = 0.05
INPUTS = 8
LEVELS = 4
ALLOWED = 1e-4
"""difference of the two networks, relative to the largest output"""

Points = tuple[Tensor, Tensor]
"""xyz and scene"""


def points_of_rooms(voxels: int) -> Points:
    """Points of so many built-in rooms that they fill so many voxels at least."""
    rooms: list[Tensor] = []
    filled = 0
    while filled < voxels:
        rooms.append(torch.from_numpy(build_room(len(rooms), points=POINTS).xyz))
        filled += len(voxelize(rooms[-1], torch.zeros(POINTS, dtype=torch.int64), VOXEL, 1))
    return torch.cat(rooms), torch.arange(len(rooms)).repeat_interleave(POINTS)


def part(points: Points, voxels: int) -> Points:
    """The points of the first so many voxels."""
    xyz, scene = points
    inside = voxelize(xyz, scene, VOXEL, 1).of_point < voxels
    return xyz[inside], scene[inside]


class Positions:
    """Centres of the voxels of each level, in voxels of that level, scenes far apart: what open3d's layers want."""

    def __init__(self, voxels: Voxels) -> None:
        # twice as wide voxels put the scenes half as many apart
        apart = 2 ** (int(voxels.levels[0].coordinate.amax()) + 2).bit_length() * 2 ** len(voxels.levels)
        centers = [_center(level, apart // 2**number) for number, level in enumerate(voxels.levels)]
        self._center = dict(zip(map(id, voxels.levels), centers, strict=True))
        pairs = zip(voxels.parents, centers, centers[1:], strict=False)
        self._ends = {id(parents): (fine, 2 * (coarse - 0.5) + 0.5) for parents, fine, coarse in pairs}

    def of_level(self, level: Level) -> Tensor:
        """Of the voxels themselves."""
        return self._center[id(level)]

    def of_parents(self, parents: Parents) -> tuple[Tensor, Tensor]:
        """Of the children, and of the first child that each parent might have."""
        return self._ends[id(parents)]


def _center(level: Level, apart: int) -> Tensor:
    center = level.coordinate + 0.5
    center[:, 0] += apart * level.scene
    return center


class Search(nn.Module):
    """Neighbours from open3d's search, or from ``found`` where the same search was made before; None: never."""

    def __init__(self, search: nn.Module, found: dict[tuple[int, int, float], Any] | None) -> None:
        super().__init__()
        self.search, self.found = search, found

    def forward(self, points: Tensor, queries: Tensor, radius: Any, **options: Any) -> Any:
        """What open3d's search returns."""
        if self.found is None:
            return self.search(points, queries=queries, radius=radius, **options)
        key = (points.data_ptr(), len(queries), float(radius))
        if key not in self.found:
            self.found[key] = self.search(points, queries=queries, radius=radius, **options)
        return self.found[key]


class Open3dLayer(nn.Module):
    """One of our layers on open3d's operations, with our weights; open3d's kernels have the axes z, y, x."""

    def __init__(self, ours: Around | Narrow | Widen, positions: Positions, found: dict[Any, Any] | None) -> None:
        super().__init__()
        from open3d.ml.torch.layers import SparseConv, SparseConvTranspose

        offsets, inputs, outputs = ours.weight.shape
        side = round(offsets ** (1 / 3))
        kind: Any = SparseConvTranspose if isinstance(ours, Widen) else SparseConv
        self.layer = kind(inputs, outputs, kernel_size=[side] * 3, use_bias=False)
        kernel = ours.weight.detach().view(side, side, side, inputs, outputs).permute(2, 1, 0, 3, 4)
        self.layer.kernel = nn.Parameter(kernel.contiguous())
        self.layer.fixed_radius_search = Search(self.layer.fixed_radius_search, found)
        self.positions = positions
        self.around, self.up = isinstance(ours, Around), isinstance(ours, Narrow)

    def forward(self, feature: Tensor, where: Any) -> Tensor:
        """As the layer that it stands for."""
        if self.around:
            inside = outside = self.positions.of_level(where)
        else:
            children, parents = self.positions.of_parents(where)
            inside, outside = (children, parents) if self.up else (parents, children)
        result: Tensor = self.layer(feature, inside, outside, 1.0)
        return result


def on_open3d(net: nn.Module, positions: Positions, *, keep: bool) -> nn.Module:
    """A copy of a network with all its convolutions replaced; ``keep``: each search is made once."""
    net = copy.deepcopy(net)
    found: dict[Any, Any] | None = {} if keep else None
    for parent in list(net.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Around | Narrow | Widen):
                setattr(parent, name, Open3dLayer(child, positions, found))
    return net


def least(work: Callable[[], object], device: str, repetitions: int) -> float:
    """Milliseconds of the fastest repetition: processor time, on a GPU wall clock."""
    cuda = torch.device(device).type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    found = []
    for _ in range(repetitions + 1):  # the first one warms up
        start = clock()
        work()
        if cuda:
            torch.cuda.synchronize()
        found.append(1000 * (clock() - start))
    return min(found[1:])


def step_of(net: nn.Module, voxels: Voxels, feature: Tensor) -> Callable[[], object]:
    """Forward and backward."""

    def step() -> None:
        net.zero_grad()
        net(voxels, feature).square().mean().backward()

    return step


def inputs_of(voxels: Voxels) -> Tensor:
    """Features of any kind."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(voxels), INPUTS, generator=generator).to(voxels.points.device)


def grown(points: Points, sizes: Sequence[int], device: str, repetitions: int) -> list[dict[str, Any]]:
    """Milliseconds of tables, forward and step at each size."""
    torch.manual_seed(0)
    net = UNet(INPUTS).to(device)
    rows = []
    for size in sizes:
        xyz, scene = (values.to(device) for values in part(points, size))
        voxels = voxelize(xyz, scene, VOXEL, LEVELS)
        feature = inputs_of(voxels)
        rows.append({
            "voxels": len(voxels), "points": len(xyz),
            "neighbours": len(voxels.levels[0].neighbours.bags.row) / len(voxels),
            "tables": least(lambda: voxelize(xyz, scene, VOXEL, LEVELS), device, repetitions),  # noqa: B023
            "forward": least(lambda: net(voxels, feature), device, repetitions),  # noqa: B023
            "step": least(step_of(net, voxels, feature), device, repetitions),
        })  # fmt: skip
    return rows


def compared(points: Points, size: int, repetitions: int) -> list[dict[str, Any]]:
    """Milliseconds of a training step, ours and open3d's on the same voxels, taking turns."""
    xyz, scene = part(points, size)
    voxels = voxelize(xyz, scene, VOXEL, LEVELS)
    feature = inputs_of(voxels)
    torch.manual_seed(0)
    ours, positions = UNet(INPUTS), Positions(voxels)
    nets = {
        "ours": ours,
        "open3d": on_open3d(ours, positions, keep=False),
        "open3d, neighbours searched before": on_open3d(ours, positions, keep=True),
    }
    expected = ours(voxels, feature).detach()
    rows: list[dict[str, Any]] = []
    for name, net in nets.items():
        difference = float((net(voxels, feature).detach() - expected).abs().max() / expected.abs().max())
        if difference > ALLOWED:
            raise SystemExit(f"{name}: outputs differ from ours by {difference:.1e}")
        rows.append({"network": name, "voxels": len(voxels), "difference": difference})
    for _ in range(repetitions):
        for row, net in zip(rows, nets.values(), strict=True):
            taken = least(step_of(net, voxels, feature), "cpu", 1)
            row["step"] = min(taken, row.get("step", taken))
    tables = least(lambda: voxelize(xyz, scene, VOXEL, LEVELS), "cpu", repetitions)
    # what takes the place of open3d's searches counts as ours
    rows[0]["step"] += tables
    return rows


def rendered(content: Figures) -> str:
    """Both tables."""
    parts, notes = [], []
    if content["compared"]:
        ours, *others = content["compared"]
        rows = [
            [row["network"], number(row["step"], 0), number(row["step"] / ours["step"], 1), f"{row['difference']:.0e}"]
            for row in (ours, *others)
        ]
        header = ["convolutions", "ms a step", "times ours", "relative difference"]
        parts.append(f"{ours['voxels']:,} voxels:\n\n{table(header, rows)}")
        notes.append("ours with the search of neighbours")
    header = ["voxels", "neighbours", "tables, ms", "forward, ms", "forward and backward, ms", "µs a voxel, all in all"]
    rows = [
        [
            f"{row['voxels']:,}",
            number(row["neighbours"], 1),
            *(number(row[name], 0) for name in ("tables", "forward", "step")),
            number(1000 * (row["tables"] + row["step"]) / row["voxels"], 1),
        ]
        for row in content["grown"]
    ]
    parts.append(f"Ours, device {content['device']}:\n\n{table(header, rows)}")
    return with_notes("\n\n".join(parts), [*notes, provenance(content)])


def stay_on_one_core() -> None:
    """Where the system can be told so."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def measure(sizes: Sequence[int], device: str, repetitions: int) -> dict[str, Any]:
    """All figures."""
    points = points_of_rooms(max(sizes))
    both: list[dict[str, Any]] = []
    if device == "cpu":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # open3d's, about itself
            both = compared(points, min(COMPARED, max(sizes)), repetitions)
    return {"device": device, "compared": both, "grown": grown(points, sizes, device, repetitions)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK[0]:,} voxels, twice")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    stay_on_one_core()
    sizes, repetitions = (QUICK, 2) if chosen.quick else (SIZES, 5)
    figures = {**about(chosen.quick), **measure(sizes, chosen.device, repetitions)}
    print(rendered(figures))
    write_json(chosen.json, figures)


if __name__ == "__main__":
    main()
