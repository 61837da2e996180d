"""The tables of README.md and docs/benchmarks.md, rendered from benchmarks/results/*.json.

    python -m benchmarks.report

A table stands between ``<!-- bench NAME -->`` and ``<!-- end bench -->``, NAME being a key of TABLES; whatever is
between is replaced, the text around is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import (
    ablations,
    alternatives,
    convolution,
    exports,
    overhead,
    partitions,
    planning,
    rendering,
    rendering_engines,
    review_page,
    second_labels,
    stores,
    tuning,
)
from benchmarks.experiment import table as experiment

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path("benchmarks") / "results"
DOCUMENTS: dict[str, tuple[str, ...]] = {
    "README.md": ("experiment", "labels", "engines", "growth"),
    "docs/benchmarks.md": (
        "handling",
        "scales",
        "features",
        "points",
        "leave_one_out",
        "alternatives",
        "partitions",
        "tuning",
        "noise",
        "calibration",
        "engines_in_full",
        "reduction",
        "machine",
        "gpu",
        "growth_larger",
        "growth_pairs",
        "stores",
        "planning",
        "overhead",
        "convolution",
        "second_labels",
        "review_page",
        "exports",
    ),
}
"""Which tables stand where, relative to ROOT."""
MARKED = re.compile(r"(<!-- bench (\w+) -->\n).*?(<!-- end bench -->)", re.DOTALL)

Renderer = Callable[[Mapping[str, Any]], str]
TABLES: dict[str, tuple[str, Renderer]] = {
    **{name: ("ablations", rendering.ways(names, name in ablations.FEW)) for name, names in ablations.TABLES.items()},
    "alternatives": ("alternatives", alternatives.rendered),
    "partitions": ("partitions", partitions.rendered),
    "tuning": ("tuning", tuning.rendered),
    "noise": ("noise", rendering.noise),
    "calibration": ("calibration", rendering.calibration),
    "growth": ("growth", rendering.growth("finer")),
    "growth_larger": ("growth", rendering.growth("larger")),
    "growth_pairs": ("growth", rendering.growth("pairs")),
    "engines": ("engines", rendering_engines.engines),
    "engines_in_full": ("engines", rendering_engines.engines_in_full),
    "reduction": ("reduction", rendering_engines.reduction),
    "machine": ("machine", rendering_engines.machine),
    "gpu": ("gpu", rendering_engines.gpu),
    "stores": ("stores", stores.rendered),
    "planning": ("planning", planning.rendered),
    "overhead": ("overhead", overhead.rendered),
    "convolution": ("convolution", convolution.rendered),
    "experiment": ("experiment", experiment.rendered),
    "exports": ("exports", exports.rendered),
    "review_page": ("review_page", review_page.rendered),
    "second_labels": ("second_labels", second_labels.rendered),
}
"""Result file (without suffix) and rendering of every table."""


def fill(text: str, results: Path) -> str:
    """``text`` with every marked table rendered anew; raises ValueError for a marker that names no table."""
    return MARKED.sub(lambda found: f"{found[1]}{table(found[2], results)}\n{found[3]}", text)


def table(name: str, results: Path) -> str:
    """A table by its name; where its figures are missing, a line that says so."""
    if name not in TABLES:
        raise ValueError(f"no table is called {name}; there are {', '.join(TABLES)}")
    stem, renderer = TABLES[name]
    file = results / f"{stem}.json"
    if not file.is_file():
        return f"Not measured yet: `benchmarks/{stem}.py` has left no `{(RESULTS / file.name).as_posix()}`."
    return renderer(json.loads(file.read_text(encoding="utf-8")))


def main() -> None:
    for name in DOCUMENTS:
        document = ROOT / name
        document.write_text(fill(document.read_text(encoding="utf-8"), ROOT / RESULTS), encoding="utf-8")
        print(f"{name}: tables rendered")


if __name__ == "__main__":
    main()
