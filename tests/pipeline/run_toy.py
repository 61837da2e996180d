"""Runs the toy stages as a program of its own: FOLDER WORKERS SECONDS_A_SCENE."""

from __future__ import annotations

import sys
from pathlib import Path

from toy_stages import TOY_STAGES, Toy

from pipeline.executors.local import LocalExecutor
from pipeline.plan import make_plan
from pipeline.progress import progress_on
from pipeline.run import run_plan

if __name__ == "__main__":
    toy = Toy(Path(sys.argv[1]))
    plan = make_plan(toy.config(double={"seconds": float(sys.argv[3])}), TOY_STAGES, toy.output)
    sys.exit(run_plan(plan, LocalExecutor(int(sys.argv[2])), progress_on(sys.stdout)).exit_code)
