"""Every engine on the same problems in one run: seconds of the Gaussian Processes, label AP, agreement of owners.

    python -m benchmarks.engines [--real FOLDER] [--boxes FILE] [--loads real,rooms,scannet] [--json FILE]

FOLDER of real scans as .npz (default: BOXGP_REAL_SCANS), FILE with the boxes of ScanNet (BOXGP_SCANNET_BOXES); loads
without their files are left out. Each load is partitioned twice, under ``paper`` (the published settings: its own
problems) and under the default. Timed is ``Engine.solve`` on prepared problems, after one problem as warm-up; imports,
compilation and partition stand apart. Where a variational engine would take more than --limit seconds of processor time
for a load, a seeded sample of the pairs is timed and extrapolated, and the row has no label AP. Speed-ups are by
processor time, since that of the wall depends on who else is on the machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.published import BatchedGpytorch, PublishedEngine
from benchmarks.rendering_engines import engines_in_full
from benchmarks.scene_labels import Answers, Problems, agreement, answers_of_graphs, answers_of_pairs, problems_of
from benchmarks.tables import Seconds, described, machine, timed, write_json
from benchmarks.workload import Configuration, Load, Partitioned, folder_load, mesh_free, partition, rooms_load
from stages.posteriors.engines.base import Engine, PairProblem, PairSolution
from stages.posteriors.graph.field import solve_graph

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED, BATCHED, OURS, LAPLACE = "published", "published, gpytorch batched", "published, our batches", "laplace"
GRAPH = "joint on the region graph"
SLOW = (PUBLISHED, BATCHED, OURS)
"""solved for a sample of the pairs where all would take too long"""
CONFIGURATIONS: tuple[Configuration, ...] = ("paper", "folder")
"""the published settings first: README compares with the first row of the first"""


@dataclass(frozen=True)
class Row:
    """Figures of one engine on one load."""

    engine: str
    seconds_a_scene: float
    cpu_seconds_a_scene: float
    standard_error: float
    """of the processor seconds a scene, where they were extrapolated from single pairs; else 0"""
    timed_pairs: int
    """0 for the joint process, which has none"""
    all_pairs: int
    milliseconds_a_pair: float
    """of processor time"""
    warm_up_seconds: float
    """the first problem of the engine"""
    failed: int
    """pairs without a posterior"""
    label_ap: float | None
    """None, as what follows from it, where only a sample was solved"""
    label_ap50: float | None
    as_published: float | None
    """share of the contested points with the same owner in the labels"""
    as_laplace: float | None
    side_as_published: float | None
    """share of the contested regions of the pairs, or of the sampled pairs, on the same side of one half"""


def engines() -> dict[str, Engine]:
    """Every engine by the name of its row."""
    from stages.posteriors.engines.laplace import LaplaceEngine
    from stages.posteriors.engines.regression import RegressionEngine
    from stages.posteriors.engines.variational import VariationalEngine

    return {
        PUBLISHED: PublishedEngine(),
        BATCHED: BatchedGpytorch(),
        OURS: VariationalEngine(learn=True),
        "regression, learnt": RegressionEngine(learn=True),
        "laplace, learnt": LaplaceEngine(learn=True),
        "regression": RegressionEngine(learn=False),
        LAPLACE: LaplaceEngine(learn=False),
    }


@dataclass(frozen=True, eq=False)
class Timed:
    """Solutions and what they took."""

    solutions: list[list[PairSolution]] | None
    """of all scenes; None where only a sample was solved"""
    solved: dict[int, PairSolution]
    """by place in the list of all problems of all scenes"""
    seconds: Seconds
    """of all pairs; extrapolated where only a sample was solved"""
    standard_error: float = 0.0
    """of the processor time, where pairs were timed one by one"""


def solve_all(engine: Engine, scenes: Sequence[Sequence[PairProblem]]) -> Timed:
    """All problems, scene by scene."""
    with timed() as seconds:
        solutions = [engine.solve(problems) for problems in scenes]
    return Timed(solutions, dict(enumerate(one for scene in solutions for one in scene)), seconds)


def solve_sample(engine: Engine, scenes: Sequence[Sequence[PairProblem]], sample: int, seed: int) -> Timed:
    """A seeded sample of all problems; in one call, but one by one where the engine works so anyway."""
    everything = [problem for problems in scenes for problem in problems]
    chosen = np.sort(np.random.default_rng(seed).choice(len(everything), sample, replace=False)).tolist()
    calls = [[index] for index in chosen] if isinstance(engine, PublishedEngine) else [chosen]
    solved: dict[int, PairSolution] = {}
    spent = []
    for call in calls:
        with timed() as seconds:
            solved.update(zip(call, engine.solve([everything[index] for index in call]), strict=True))
        spent.append((seconds.wall, seconds.cpu))
    wall, cpu = np.array(spent).T
    share = len(everything) / sample
    error = float(cpu.std(ddof=1) * np.sqrt(sample)) * share if len(calls) > 1 else 0.0
    return Timed(None, solved, Seconds(float(wall.sum()) * share, float(cpu.sum()) * share), error)


def measure(partitioned: Partitioned, limit: float, sample: int, seed: int) -> tuple[list[Row], Problems]:
    """The rows of one load under one configuration."""
    problems = problems_of(partitioned)
    pairs = [problem for scene in problems.scenes for problem in scene]
    found: dict[str, tuple[Timed, float, Answers | None]] = {}
    for name, engine in engines().items():
        print(f"  {name} ...", file=sys.stderr, flush=True)
        with timed() as warm_up:
            engine.solve([min(pairs, key=lambda problem: len(problem.feature))])
        spent = None
        if name in SLOW and len(pairs) > sample:
            spent = solve_sample(engine, problems.scenes, sample, seed)
        if spent is None or spent.seconds.cpu <= limit:
            spent = solve_all(engine, problems.scenes)
        answer = None
        if spent.solutions is not None:
            answer = answers_of_pairs(partitioned, problems, engine.link, spent.solutions)
        found[name] = (spent, warm_up.wall, answer)
    if partitioned.posteriors.evidence:
        found[GRAPH] = _joint(partitioned, problems)
    return [_row(name, found, partitioned, problems) for name in found], problems


def _joint(partitioned: Partitioned, problems: Problems) -> tuple[Timed, float, Answers]:
    """The joint Gaussian Process, which needs the prior that evidence gives."""
    graphs = [prepared.graph() for prepared in problems.prepared]
    with timed() as warm_up:
        solve_graph(min(graphs, key=lambda graph: len(graph.precision)))
    with timed() as seconds:
        posteriors = [solve_graph(graph) for graph in graphs]
    return Timed(None, {}, seconds), warm_up.wall, answers_of_graphs(partitioned, problems, posteriors)


def _row(
    name: str, found: dict[str, tuple[Timed, float, Answers | None]], partitioned: Partitioned, problems: Problems
) -> Row:
    spent, warm_up, answer = found[name]
    scenes, pairs = len(problems.scenes), sum(len(scene) for scene in problems.scenes)
    contested = problems.contested()

    def same_owner(other: Answers | None) -> float | None:
        return agreement(partitioned.scans, contested, answer, other) if answer and other else None

    return Row(
        engine=name,
        seconds_a_scene=spent.seconds.wall / scenes,
        cpu_seconds_a_scene=spent.seconds.cpu / scenes,
        standard_error=spent.standard_error / scenes,
        timed_pairs=len(spent.solved),
        all_pairs=pairs,
        milliseconds_a_pair=1000 * spent.seconds.cpu / pairs,
        warm_up_seconds=warm_up,
        failed=sum(not one.converged for one in spent.solved.values()),
        label_ap=answer.ap if answer else None,
        label_ap50=answer.ap50 if answer else None,
        as_published=same_owner(found[PUBLISHED][2]),
        as_laplace=same_owner(found[LAPLACE][2]),
        side_as_published=_same_side(spent.solved, found[PUBLISHED][0].solved),
    )


def _same_side(solved: dict[int, PairSolution], others: dict[int, PairSolution]) -> float | None:
    both = sorted(solved.keys() & others.keys())
    if not both:
        return None
    same = [(solved[index].probability >= 0.5) == (others[index].probability >= 0.5) for index in both]
    return float(np.concatenate(same).mean())


def shown(partitioned: Partitioned, problems: Problems, entry: dict[str, Any]) -> str:
    """The table of one load under one configuration, with what one must know to read it."""
    sizes = np.array([len(p.feature) for scene in problems.scenes for p in scene])
    contested = np.array([len(p.contested_feature) for scene in problems.scenes for p in scene])
    scenes = len(problems.scenes)
    about = (
        f"Pairs have in the median {np.median(sizes):.0f} determined (at most {sizes.max()}) and "
        f"{np.median(contested):.0f} contested regions. Not in the table: the command up to the features "
        f"{partitioned.seconds / scenes:.1f} s a scene, candidates, evidence and pairs "
        f"{problems.seconds / scenes:.2f} s a scene."
    )
    return f"{engines_in_full({'machine': machine(), 'tables': [entry]})} {about}\n"


def loads(arguments: argparse.Namespace, folder: Path) -> list[Load]:
    """The loads that were asked for and whose files are there."""
    chosen = arguments.loads.split(",")
    found = []
    if "real" in chosen and arguments.real:
        real = Path(arguments.real)
        found.append(folder_load("real scans without a mesh", real, arguments.scenes or mesh_free(real)))
    if "rooms" in chosen:
        found.append(rooms_load(arguments.rooms, 300_000))
    if "scannet" in chosen and arguments.boxes:
        from benchmarks.scannet_shaped import scannet_load

        found.append(scannet_load(Path(arguments.boxes), folder, arguments.scannet, arguments.seed))
    return found


def import_seconds(engine: str) -> float:
    """Wall clock of the import of an engine's module in a process of its own."""
    code = f"import time; start = time.perf_counter(); import stages.posteriors.engines.{engine}; "
    command = [sys.executable, "-c", f"{code} print(time.perf_counter() - start)"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All tables, printed as they come; returns their figures."""
    torch.set_num_threads(1)
    imports = {name: import_seconds(name) for name in ("laplace", "variational")}
    each = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in imports.items())
    print(f"{described(machine())}\n\nImport of an engine with torch, and gpytorch where it uses that: {each}\n")
    figures: dict[str, Any] = {"import_seconds": imports, "tables": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number_of_load, load in enumerate(loads(arguments, folder)):
            for configuration in CONFIGURATIONS:
                partitioned = partition(load, configuration, folder / f"{configuration}{number_of_load}")
                rows, problems = measure(partitioned, arguments.limit, arguments.sample, arguments.seed)
                entry = {
                    "load": load.name,
                    "configuration": configuration,
                    "scenes": len(problems.scenes),
                    "pairs": sum(len(scene) for scene in problems.scenes),
                    "regions": [len(scan.superpoints) for scan in partitioned.scans],
                    "command_seconds": partitioned.seconds,
                    "preparation_seconds": problems.seconds,
                    "rows": [vars(row) for row in rows],
                }
                print(shown(partitioned, problems, entry), flush=True)
                figures["tables"].append(entry)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", default=os.environ.get("BOXGP_REAL_SCANS"), help="folder of real scans")
    parser.add_argument("--scenes", help="ids of real scans; default: those with colour and without a mesh")
    parser.add_argument("--boxes", default=os.environ.get("BOXGP_SCANNET_BOXES"), help="scannet_boxes.npz")
    parser.add_argument("--loads", default="real,rooms,scannet", help="which loads")
    parser.add_argument("--rooms", type=int, default=2, help="built-in rooms")
    parser.add_argument("--scannet", type=int, default=4, help="ScanNet-shaped scenes")
    parser.add_argument("--limit", type=float, default=100.0, help="seconds an engine may take for a load; see above")
    parser.add_argument("--sample", type=int, default=12, help="pairs of the sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    write_json(arguments.json, run(arguments))


if __name__ == "__main__":
    main()
