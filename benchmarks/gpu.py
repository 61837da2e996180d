"""The engines on an accelerator: problems are packed where the whole package is, and solved where only torch is.

    python benchmarks/gpu.py pack --to problems.npz [--scenes 20] [--boxes FILE]
    python benchmarks/gpu.py solve problems.npz --device cuda --dtype float32 --json gpu.json

``pack`` makes the ScanNet-shaped load (FILE, or BOXGP_SCANNET_BOXES, is the file of ScanNet's boxes) and writes the
binary and the joint problems of all its scans as plain arrays. ``solve`` needs torch, numpy, scipy and gpytorch, and
the folders ``benchmarks`` and ``stages``: every engine solves the problems of all scans at once. A seeded sample of the
problems is solved in double precision on the CPU as well: the largest difference of a probability, and the share of
regions on the same side of one half. The published engine, one pair after the other, is timed on that sample alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # of a script, only its own folder is on the path

from benchmarks import rendering_engines
from benchmarks.published import PublishedEngine
from benchmarks.tables import described, machine, write_json
from stages.posteriors.engines.base import Engine, PairProblem, PairSolution
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.padding import Precision
from stages.posteriors.engines.regression import RegressionEngine
from stages.posteriors.engines.variational import VariationalEngine
from stages.posteriors.graph.field import GraphProblem, solve_graph

PACKED = ("feature", "first", "contested_feature", "prior_mean", "contested_prior_mean")
Arrays = Mapping[str, np.ndarray]


def packed(scenes: Sequence[Sequence[PairProblem]]) -> dict[str, np.ndarray]:
    """Problems one after the other: their arrays joined, rows of each, scene of each."""
    problems = [problem for scene in scenes for problem in scene]
    arrays = {name: np.concatenate([getattr(problem, name) for problem in problems]) for name in PACKED}
    arrays["determined"] = np.array([len(problem.feature) for problem in problems])
    arrays["contested"] = np.array([len(problem.contested_feature) for problem in problems])
    arrays["scene"] = np.repeat(np.arange(len(scenes)), [len(scene) for scene in scenes])
    return arrays


def unpacked(arrays: Arrays) -> list[PairProblem]:
    """The inverse of ``packed``, without the scenes."""
    ends = {
        name: np.cumsum(arrays["contested" if name.startswith("contested") else "determined"])[:-1] for name in PACKED
    }
    parts = zip(*(np.split(arrays[name], ends[name]) for name in PACKED), strict=True)
    return [PairProblem(**dict(zip(PACKED, values, strict=True))) for values in parts]


def packed_graph(problem: GraphProblem, name: str) -> dict[str, np.ndarray]:
    """One joint problem under keys that begin with ``name``."""
    affinity = problem.affinity
    return {
        f"{name}/data": affinity.data, f"{name}/indices": affinity.indices, f"{name}/indptr": affinity.indptr,
        f"{name}/precision": problem.precision, f"{name}/observation": problem.observation,
    }  # fmt: skip


def unpacked_graph(arrays: Arrays, name: str) -> GraphProblem:
    """The inverse of ``packed_graph``."""
    precision = arrays[f"{name}/precision"]
    parts = tuple(arrays[f"{name}/{part}"] for part in ("data", "indices", "indptr"))
    affinity = csr_array(parts, shape=(len(precision), len(precision)))
    return GraphProblem(affinity, precision, arrays[f"{name}/observation"])


def pack(boxes: Path, to: Path, scenes: int, seed: int) -> None:
    """Makes the load and writes its problems."""
    from benchmarks.scannet_shaped import scannet_load
    from benchmarks.scene_labels import problems_of
    from benchmarks.workload import partition

    arrays: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        load = scannet_load(boxes, Path(folder), scenes, seed)
        for configuration in ("paper", "folder"):
            partitioned = partition(load, configuration, Path(folder) / configuration)
            problems = problems_of(partitioned)
            arrays |= {f"{configuration}/{name}": values for name, values in packed(problems.scenes).items()}
            print(f"{configuration}: {sum(map(len, problems.scenes))} pairs of {len(problems.scenes)} scenes")
        for index, prepared in enumerate(problems.prepared):
            arrays |= packed_graph(prepared.graph(), f"graph/{index}")
    np.savez_compressed(to, allow_pickle=False, **arrays)


def engines(device: str, dtype: Precision) -> dict[str, Engine]:
    """Those that run on a device, by the name of their row."""
    return {
        "published, our batches": VariationalEngine(dtype=dtype, device=device),
        "regression, learnt": RegressionEngine(dtype=dtype, device=device),
        "laplace, learnt": LaplaceEngine(dtype=dtype, device=device),
        "regression": RegressionEngine(learn=False, dtype=dtype, device=device),
        "laplace": LaplaceEngine(learn=False, dtype=dtype, device=device),
    }


def on_device(device: str, work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What ``work`` returns, its seconds, and the most memory that it held on the device, GiB (NaN on a CPU)."""
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = work()
    if cuda:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    return result, seconds, torch.cuda.max_memory_allocated() / 2**30 if cuda else float("nan")


def compared(found: Sequence[PairSolution], reference: Sequence[PairSolution]) -> tuple[float, float]:
    """Largest difference of a probability, share of regions on the same side of one half."""
    one = np.concatenate([solution.probability for solution in found])
    other = np.concatenate([solution.probability for solution in reference])
    return float(np.abs(one - other).max()), float(((one >= 0.5) == (other >= 0.5)).mean())


def solve_pairs(problems: list[PairProblem], device: str, dtype: Precision, sample: int) -> list[dict[str, Any]]:
    """A row for each engine on the binary problems of all scans."""
    count = min(sample, len(problems))
    chosen = np.sort(np.random.default_rng(0).choice(len(problems), count, replace=False)).tolist()
    few = [problems[index] for index in chosen]
    rows = []
    for name, engine in engines(device, dtype).items():
        engine.solve(few[:2])
        solutions, seconds, memory = on_device(device, partial(engine.solve, problems))
        reference = replace(engine, device="cpu", dtype="float64").solve(few)  # type: ignore[type-var]
        largest, same = compared([solutions[index] for index in chosen], reference)
        failed = sum(not one.converged for one in solutions)
        rows.append(_row(name, len(problems), seconds, memory, largest, same, failed))
    published = PublishedEngine(device=device)
    published.solve(few[:1])
    solutions, seconds, memory = on_device(device, lambda: published.solve(few))
    largest, same = compared(solutions, VariationalEngine().solve(few))
    failed = sum(not one.converged for one in solutions)
    scaled = seconds * len(problems) / count
    return [_row(f"published (from {count} pairs)", len(problems), scaled, memory, largest, same, failed), *rows]


def solve_graphs(problems: Sequence[GraphProblem], device: str) -> dict[str, Any]:
    """The joint problems of all scans, one after the other, by dense algebra in double precision."""
    dense_cpu = "cpu:0"  # plain ``cpu`` is the sparse way, which needs numba
    device = dense_cpu if device == "cpu" else device
    solve_graph(problems[0], device)
    found, seconds, memory = on_device(device, lambda: [solve_graph(problem, device) for problem in problems])
    smallest = min(range(len(problems)), key=lambda index: len(problems[index].precision))
    mean, expected = found[smallest].mean, solve_graph(problems[smallest], dense_cpu).mean
    same = float((mean.argmax(axis=0) == expected.argmax(axis=0)).mean())
    largest = float(np.abs(mean - expected).max())
    return _row("joint on the region graph, float64", len(problems), seconds, memory, largest, same, 0)


def _row(
    name: str, problems: int, seconds: float, memory: float, largest: float, same: float, failed: int
) -> dict[str, Any]:
    return {
        "engine": name, "problems": problems, "seconds": seconds, "peak_memory_gib": memory,
        "largest_difference": largest, "same_side": same, "failed": failed,
    }  # fmt: skip


def solve(file: Path, device: str, dtype: Precision, sample: int) -> dict[str, Any]:
    """All tables, printed; returns their figures."""
    torch.set_num_threads(1)
    with np.load(file, allow_pickle=False) as stored:
        arrays = dict(stored)
    print(f"{described(machine())}; device {device}, {dtype}\n")
    figures: dict[str, Any] = {"device": device, "dtype": dtype}
    for configuration in ("paper", "folder"):
        own = {
            name.partition("/")[2]: values for name, values in arrays.items() if name.startswith(f"{configuration}/")
        }
        scenes = int(own["scene"].max()) + 1
        rows = solve_pairs(unpacked(own), device, dtype, sample)
        if configuration == "folder":
            count = len([name for name in arrays if name.startswith("graph/") and name.endswith("/data")])
            rows.append(solve_graphs([unpacked_graph(arrays, f"graph/{index}") for index in range(count)], device))
        size = own["determined"]
        print(
            f"{configuration}: {scenes} scenes, {len(size)} pairs, determined {np.median(size):.0f} to {size.max()}\n"
        )
        figures[configuration] = {"scenes": scenes, "rows": rows}
    print(rendering_engines.gpu({"machine": machine(), **figures}))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command")
    packing = commands.add_parser("pack", help="write problems")
    packing.add_argument("--to", type=Path, required=True)
    packing.add_argument("--scenes", type=int, default=20)
    packing.add_argument("--boxes", type=Path, default=os.environ.get("BOXGP_SCANNET_BOXES"))
    packing.add_argument("--seed", type=int, default=0)
    solving = commands.add_parser("solve", help="solve and compare them")
    solving.add_argument("file", type=Path)
    solving.add_argument("--device", default="cuda")
    solving.add_argument("--dtype", choices=["float32", "float64"], default="float64")
    solving.add_argument("--sample", type=int, default=40, help="problems that are compared")
    solving.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "pack":
        if arguments.boxes is None:
            parser.error("--boxes (or BOXGP_SCANNET_BOXES) must name the file of ScanNet's boxes")
        pack(Path(arguments.boxes), arguments.to, arguments.scenes, arguments.seed)
    elif arguments.command == "solve":
        write_json(arguments.json, solve(arguments.file, arguments.device, arguments.dtype, arguments.sample))
    else:
        parser.print_help()


if __name__ == "__main__":
    main()
