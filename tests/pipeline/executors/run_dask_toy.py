"""Runs the toy stages on dask as a program of its own: FOLDER SECONDS_A_SCENE CONFIGURATION (JSON)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from toy_stages import Toy, plan_of

from pipeline.errors import BoxgpError
from pipeline.executors.config import DaskExecutor
from pipeline.progress import progress_on
from pipeline.run import run_plan


def main() -> int:
    """Gives the exit code; 1 where the run broke off."""
    from pipeline.executors.dask import DaskClusterExecutor

    toy = Toy(Path(sys.argv[1]))
    plan = plan_of(toy, {"double": {"seconds": float(sys.argv[2])}})
    try:
        executor = DaskClusterExecutor(DaskExecutor(**json.loads(sys.argv[3])), toy.output)
        return run_plan(plan, executor, progress_on(sys.stdout)).exit_code
    except BoxgpError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":  # dask's workers import this file as well
    sys.exit(main())
