"""Do the probabilities of contested regions mean what they say? Beside a constant that is told other rooms' accuracy.

    python -m benchmarks.calibration [--real FOLDER] [--quick] [--json FILE]

Overlap and background regions apart. Expected calibration error in 15 bins of equal mass, pooled and as the mean of the
rooms' own; Brier score; AUROC of errors ranked by uncertainty. The constant is the accuracy of all other rooms (scans
of one room of ScanNet are one room), never of the room it is judged by.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.noise import FULL, settings_of
from benchmarks.runs import about, arguments, figures, loads, run
from benchmarks.tables import write_json
from stages.evaluation.calibration import room_of

WAYS: dict[str, tuple[str, list[str]]] = {
    "default": ("folder", []),
    "default without face seeds": ("folder", ["posteriors.faces=plain"]),
    "default, boxes of the full scans": ("folder", settings_of(FULL)),
    "default, scale and shift ± 5 %": ("folder", settings_of("scale and shift ± 5 %")),
    "laplace": ("folder", ["posteriors.engine=laplace"]),
    "regression": ("folder", ["posteriors.engine=regression"]),
    "`paper`": ("paper", []),
}


def main() -> None:
    chosen = arguments(__doc__).parse_args()
    content: dict[str, Any] = {**about(chosen.quick)}
    for kind, load in loads(chosen).items():
        content[kind] = {}
        for name, (configuration, settings) in WAYS.items():
            if chosen.quick and name != "default":
                continue
            if settings == settings_of(FULL) and kind != "real":
                continue
            with tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / "run"
                run(configuration, load, settings, output, chosen.workers)
                scenes = [path.name for path in (output / "scenes").iterdir() if not path.name.startswith(".")]
                content[kind][name] = {**figures(output), "rooms": len({room_of(scene) for scene in scenes})}
            ece = {one: values["ece"] for one, values in content[kind][name]["calibration"].items()}
            print(f"{load.name}: {name}: ECE {ece}", file=sys.stderr, flush=True)
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()
