"""How benchmarks run the command, and which figures they keep of a run."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.tables import machine
from benchmarks.workload import COMMAND, Load, folder_load, mesh_free, rooms_load

STAGES = ("scenes", "superpoints", "features", "posteriors", "pseudo_labels", "evaluation")
QUALITY = ("objects", "ap", "ap50", "ap25", "ap90", "mean_iou")
CALIBRATION = ("regions", "points", "accuracy", "confidence", "ece", "room_ece", "brier", "auroc")


@dataclass(frozen=True)
class Ended:
    """One process of the command that ended well."""

    seconds: float
    """wall clock from its start to its exit"""
    cpu_seconds: float
    """of this process, without workers; on a shared machine it is what repeats"""
    peak_bytes: int
    """largest resident set of the process"""


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark with runs has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--real", type=Path, default=os.environ.get("BOXGP_REAL_SCANS"), help="folder of real scans as .npz"
    )
    parser.add_argument("--scenes", help="ids of real scans with commas between; default: those without a mesh")
    parser.add_argument("--rooms", type=int, default=8, help="built-in rooms; 0: none")
    parser.add_argument("--points", type=int, default=50_000, help="points of a built-in room")
    parser.add_argument("--workers", type=int, default=0, help="processes that the command may start")
    parser.add_argument("--quick", action="store_true", help="fewer sizes, seeds or scenes")
    parser.add_argument("--json", type=Path)
    return parser


def loads(chosen: argparse.Namespace) -> dict[str, Load]:
    """``real`` where a folder of real scans is known, and ``rooms``."""
    found = {}
    if chosen.real:
        found["real"] = folder_load("real scans", chosen.real, chosen.scenes or mesh_free(chosen.real))
    else:
        print("no real scans (BOXGP_REAL_SCANS, --real): built-in rooms alone", file=sys.stderr)
    if chosen.rooms:
        found["rooms"] = rooms_load(chosen.rooms, chosen.points)
    return found


def run(configuration: str, load: Load, settings: Sequence[str], output: Path, workers: int = 0) -> Ended:
    """Runs the command with one thread a process; raises SystemExit with all that it said where it fails.

    Several runs into one ``output`` keep what their settings have in common, regions above all.
    """
    command = [str(COMMAND), "run", configuration, "--output", str(output), "--workers", str(workers)]
    command += ["--scenes", load.scenes] if load.scenes else []
    for setting in (*load.settings, *settings):
        command += ["--set", setting]
    said = output.with_name(f"{output.name}.log")
    start = time.perf_counter()
    with said.open("w") as log:
        process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)  # else Popen warns that nobody asked for it
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(settings)}\n{said.read_text()}")
    seconds = time.perf_counter() - start
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Ended(seconds, usage.ru_utime + usage.ru_stime, peak)


def figures(output: Path) -> dict[str, Any]:
    """What tables are made of: quality of labels, smallest box and regions, calibration, seconds a scene by stage."""
    found = json.loads((output / "round_00" / "summary" / "summary.json").read_text())
    truth = found["truth"]
    return {
        "scenes": found["scenes"],
        "regions": found["regions"] / found["scenes"],
        "labels": _only(truth["labels"]["quality"], QUALITY),
        "smallest_box": _only(truth["smallest_box"]["quality"], QUALITY),
        "oracle": _only(truth["oracle"], QUALITY),
        "calibration": {kind: _only(one, CALIBRATION) for kind, one in truth["calibration"].items()},
        "base_rate": {kind: _only(one, CALIBRATION) for kind, one in truth["base_rate"].items()},
        "seconds": {cost["stage"]: cost["mean_seconds"] for cost in found["costs"]},
    }


def manifests(output: Path) -> list[dict[str, Any]]:
    """The manifests of all results of a run."""
    return [json.loads(path.read_text()) for path in sorted(output.rglob("manifest.json"))]


def about(quick: bool) -> dict[str, Any]:
    """What every result file says of its run: machine, versions that figures depend on, and whether it was a quick one.

    The command runs with one thread a process, whatever this process may use.
    """
    packages = ("boxgp", "torch", "gpytorch", "numpy", "scipy", "numba")
    return {
        "machine": machine() | {"threads": 1},
        "quick": quick,
        "versions": {name: version(name) for name in packages},
    }


def _only(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in names}
