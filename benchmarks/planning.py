"""Seconds and memory of planning, of `status` and of a run with nothing to do, for very many scenes.

    python -m benchmarks.planning [--scenes N] [--quick] [--folder DIR] [--json FILE]

Scans are files of a few bytes, results up to the pseudo-labels are made up: small stores and manifests in the form of
real ones, under the fingerprints that a plan asks for. Commands run as users run them, in processes of their own; how
much of the 1.6 million files and folders is still in memory is up to the machine. 100,000 scenes take gigabytes, which
are freed in the end.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.made_up import make_results, make_scans
from benchmarks.measured import measured
from benchmarks.rendering import provenance, with_notes
from benchmarks.runs import about
from benchmarks.tables import number, table, timed, write_json
from benchmarks.workload import COMMAND
from pipeline.config import load_config
from pipeline.plan import make_plan
from pipeline.plans import load_plan, save_plan
from pipeline.tasks import Plan
from stages import PIPELINE

SCENES, QUICK = 100_000, 2_000
STAGES = ("scenes", "superpoints", "features", "posteriors", "pseudo_labels")
CHANGED = "superpoints.neighbors=12"
"""an option of superpoints: what there is of them and of later stages becomes stale"""
SETTLED_SECONDS = 2.5
"""the hash of a file that was written just now is not kept"""
HALF = "features"
"""the stage that a run was in when it was half complete"""


@dataclass(frozen=True)
class Bench:
    """Scans, a run over them, and what was measured of it so far."""

    folder: Path
    scenes: int
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """The folder of the run."""
        return self.folder / "run"

    @property
    def scans(self) -> str:
        """Where the scans are, as an option."""
        return f"scenes.path={self.folder / 'scans'}"

    def plan(self, what: str, pending: int, *options: str) -> None:
        """Measures `boxgp plan`, which has to find so many pending tasks."""
        said = self._command(what, "plan", *self._selection, *options)
        self._expect(what, said, rf"^{pending} of {len(STAGES) * self.scenes} tasks would run")

    def run(self, what: str) -> None:
        """Measures `boxgp run` where everything is done."""
        self._expect(what, self._command(what, "run", *self._selection), "everything is done already")

    def about_run(self, command: str, what: str, done: Mapping[str, int]) -> None:
        """Measures `boxgp status` or `boxgp stats`, which has to count so many results of each stage."""
        said = self._command(what, command, str(self.output))
        for stage, count in done.items():
            self._expect(what, said, rf"^{stage} .*?\b{count}\b")

    def save_and_load(self) -> None:
        """Measures how long a plan takes to be written and read."""
        plan = self.planned()
        with timed() as seconds:
            saved = save_plan(plan)
        self.rows.append({"what": "a plan is saved", "seconds": seconds.wall, "cpu_seconds": seconds.cpu})
        with timed() as seconds:
            loaded = load_plan(saved)
            if [tuple(step.rows) for step in loaded.steps] != [tuple(step.rows) for step in plan.steps]:
                raise SystemExit("a plan is another one after loading")
        self.rows.append({"what": "all of it is loaded", "seconds": seconds.wall, "cpu_seconds": seconds.cpu})

    def planned(self) -> Plan:
        """The plan of the run as it is."""
        stages = [(path, getattr(importlib.import_module(path.split(":")[0]), path.split(":")[1])) for path in PIPELINE]
        config = load_config("folder", [self.scans], [stage for _, stage in stages])
        return make_plan(config, stages, self.output, last=STAGES[-1])

    @property
    def _selection(self) -> list[str]:
        return ["folder", "--output", str(self.output), "--set", self.scans, "--stage", f"..{STAGES[-1]}"]

    def _command(self, what: str, *arguments: str) -> str:
        cost, said = measured([str(COMMAND), *arguments])
        self.rows.append({"what": what, **cost})
        print(self.rows[-1], file=sys.stderr, flush=True)
        return said

    @staticmethod
    def _expect(what: str, said: str, pattern: str) -> None:
        if re.search(pattern, said, re.MULTILINE) is None:
            raise SystemExit(f"{what}: {pattern!r} was expected, not\n{said}")


def measure(folder: Path, scenes: int) -> dict[str, Any]:
    """All rows, for so many scenes in ``folder``."""
    make_scans(folder / "scans", scenes)
    bench = Bench(folder, scenes)
    tasks = len(STAGES) * scenes
    time.sleep(SETTLED_SECONDS)
    bench.plan("`plan`, raw files not hashed yet", tasks)
    bench.plan("`plan`, nothing done", tasks)
    bench.save_and_load()
    for _ in make_results(bench.planned()):
        pass
    bench.plan("`plan`, everything done, results not seen before", 0)
    bench.plan("`plan`, everything done", 0)
    bench.run("`run`, everything done")
    bench.about_run("status", "`status`, everything done", dict.fromkeys(STAGES, scenes))
    bench.about_run("stats", "`stats`, everything done", dict.fromkeys(STAGES, scenes))
    bench.plan("`plan`, all but scenes stale", tasks - scenes, "--set", CHANGED)
    half = _take_away_half(bench)
    bench.about_run("status", "`status`, half done", half)
    return {"scenes": scenes, "stages": len(STAGES), "rows": bench.rows}


def _take_away_half(bench: Bench) -> dict[str, int]:
    """Moves the results away that a run has not got when it is half complete; stage -> results that stay."""
    done = {}
    away = bench.folder / "away"
    away.mkdir()
    parents = {path.name: path for path in [*bench.output.iterdir(), *(bench.output / "round_00").iterdir()]}
    for place, stage in enumerate(STAGES):
        kept = bench.scenes if place < STAGES.index(HALF) else bench.scenes // 2 if stage == HALF else 0
        for folder in sorted(parents[stage].iterdir())[kept:]:
            folder.rename(away / f"{stage}_{folder.name}")
        done[stage] = kept
    return done


def rendered(content: Mapping[str, Any]) -> str:
    """Seconds and memory of each command."""
    rows = [
        [
            row["what"],
            number(row["seconds"], 1),
            number(row["cpu_seconds"], 1),
            number(row["peak_bytes"] / 2**30, 2) if "peak_bytes" in row else "-",
        ]
        for row in content["rows"]
    ]
    size = f"{content['scenes']:,} scenes, {content['stages']} stages"
    return with_notes(table(["", "seconds", "CPU seconds", "peak GiB"], rows), [size, provenance(content)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, help=f"default: {SCENES:,}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} scenes")
    parser.add_argument("--folder", type=Path, default=Path(), help="where files are made; default: the current folder")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    scenes = chosen.scenes or (QUICK if chosen.quick else SCENES)
    with tempfile.TemporaryDirectory(dir=chosen.folder, prefix="planning-") as folder:
        figures = {**about(chosen.quick), **measure(Path(folder).absolute(), scenes)}
    print(rendered(figures))
    write_json(chosen.json, figures)


if __name__ == "__main__":
    main()
