"""Label quality and cost of every way to decide contested regions, on the same scans in one run.

    python benchmarks/rules.py [FOLDER [SCENE,SCENE | FILE.txt]]

Without FOLDER: eight built-in rooms. Each way is a run of the command with other settings; seconds are those of
features, posteriors and pseudo_labels alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMAND = Path(sys.executable).with_name("boxgp")
POINTS = ["superpoints.method=singletons", "posteriors.evidence=[]"]
WAYS: dict[str, tuple[str, list[str]]] = {
    "default (laplace, evidence)": ("folder", []),
    "default, learnt scales": ("folder", ["posteriors.learn=true"]),
    "default with regression": ("folder", ["posteriors.engine=regression"]),
    "no evidence": ("folder", ["posteriors.evidence=[]"]),
    "regions not split by boxes": ("folder", ["superpoints.split_by_boxes=never"]),
    "none (table 3, A)": ("folder", ["posteriors.engine=none"]),
    "smallest box, regions": ("folder", ["posteriors.engine=smallest_box"]),
    "smallest box, points (table 3, B)": ("folder", [*POINTS, "posteriors.engine=smallest_box"]),
    "nearest centre, regions": ("folder", ["posteriors.engine=nearest_center"]),
    "linear classifier, points (table 3, C)": (
        "folder",
        [*POINTS, "posteriors.engine=linear", "features.columns=[position, color]"],
    ),
    "paper (variational, table 3, D3)": ("paper", []),
    "paper with regression (table 3, D2)": ("paper", ["posteriors.engine=regression"]),
    "truth of the regions (ceiling)": ("folder", ["posteriors.engine=truth"]),
}
COSTS = ("features", "posteriors", "pseudo_labels")


def run(configuration: str, source: Sequence[str], settings: Sequence[str], output: Path) -> dict[str, Any]:
    """Figures of one run."""
    command = [str(COMMAND), "run", configuration, "--output", str(output), *source]
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stdout + done.stderr)
    figures = json.loads((output / "round_00" / "summary" / "summary.json").read_text())
    seconds = 0.0
    for stage in COSTS:
        manifests = (output / "round_00" / stage).glob("*/manifest.json")
        seconds += sum(float(json.loads(path.read_text())["seconds"]) for path in manifests)
    return {**figures, "cost": seconds}


def row(name: str, figures: dict[str, Any]) -> str:
    """One row of the table."""
    quality = figures["truth"]["labels"]["quality"]
    values = [f"{quality[key]:.3f}" for key in ("ap", "ap50", "ap90", "mean_iou")]
    return f"| {name} | {' | '.join(values)} | {figures['cost'] / figures['scenes']:.2f} |"


def main() -> None:
    own = len(sys.argv) > 1
    source = ["--set", f"scenes.path={sys.argv[1]}"] if own else ["--set", "scenes.source=rooms"]
    source += ["--scenes", sys.argv[2]] if len(sys.argv) > 2 else []
    print("| contested regions decided by | label AP | AP50 | AP90 | mean IoU | seconds a scan |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (configuration, settings)) in enumerate(WAYS.items()):
            print(row(name, run(configuration, source, settings, Path(folder) / str(number))), flush=True)


if __name__ == "__main__":
    main()
