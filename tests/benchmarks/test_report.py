import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.experiment import table as experiment
from benchmarks.experiment.rows import ROWS
from benchmarks.rendering_engines import engines_in_full
from benchmarks.report import DOCUMENTS, MARKED, RESULTS, ROOT, TABLES, fill, table

QUALITY = {"objects": 5, "ap": 0.5, "ap50": 0.75, "ap25": 1.0, "ap90": 0.25, "mean_iou": 0.6}
CALIBRATED = {
    "regions": 3,
    "points": 1234,
    "accuracy": 0.9,
    "confidence": 0.8,
    "ece": 0.11,
    "room_ece": 0.12,
    "brier": 0.13,
    "auroc": None,
}
MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "threads": 1,
    "load_average": 0.5,
    "torch": "2.0",
    "python": "3.11",
    "gpu": None,
}


RATES = ("cholesky", "product")


def relabelled() -> dict[str, Any]:
    return QUALITY | {"difference": dict.fromkeys(("ap", "mean_iou"), (0.25, 0.125))}


def laid_out(title: str) -> dict[str, Any]:
    figures = dict.fromkeys(("arrays", "write", "read", "replace", "inodes", "bytes", "allocated"), 2.0)
    return {"title": title, "scene_by_scene": "yes", **figures}


def on_device(engine: str) -> dict[str, Any]:
    differences = {"largest_difference": 1e-9, "same_side": 1.0, "peak_memory_gib": float("nan")}
    return {"engine": engine, "problems": 9, "seconds": 3.0, "failed": 0, **differences}


def reduced(limit: int | None) -> dict[str, Any]:
    differences = {"maximum_difference": 0.25, "mean_difference": 0.5, "owner_changes": 0.0125}
    return {"limit": limit, "largest": 70, "entries": 1000, "ap": 0.5, "cpu_seconds": 1.5, **differences}


def tuned() -> dict[str, Any]:
    rows = {"shipped": {"ap": 0.5, "ap50": 0.75}}
    return {"scenes": 2, "rooms": 2, "objects": 5, "rows": rows, "chosen": {}, "ap": {"shipped": 0.5}}


def figures(ap: float) -> dict[str, Any]:
    kinds = ("overlap", "background", "together")
    return {
        "scenes": 2,
        "regions": 100.0,
        "labels": QUALITY | {"ap": ap},
        "smallest_box": QUALITY,
        "oracle": QUALITY,
        "calibration": dict.fromkeys(kinds, CALIBRATED),
        "base_rate": {"overlap": CALIBRATED | {"ece": 0.31}},
        "rooms": 2,
        "seconds": {"scenes": 9.0, "superpoints": 1.0, "features": 0.5, "posteriors": 2.0, "pseudo_labels": 0.25},
    }


def timed(engine: str, seconds: float) -> dict[str, Any]:
    names = ("seconds_a_scene", "label_ap", "label_ap50", "as_published", "as_laplace", "side_as_published")
    spent = {"cpu_seconds_a_scene": seconds, "standard_error": 0.0, "milliseconds_a_pair": 1.0, "warm_up_seconds": 2.0}
    spent |= {"timed_pairs": 12 if engine == "joint" else 30, "all_pairs": 30}
    return {"engine": engine, "failed": 0, **spent, **dict.fromkeys(names, 0.5)}


def load(name: str, configuration: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "load": name,
        "configuration": configuration,
        "scenes": 2,
        "pairs": 30,
        "regions": [10, 20],
        "rows": rows,
    }


def cells(text: str, first: str) -> list[str]:
    """The cells of the table row that starts with ``first``."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return next(row for row in rows if row[0] == first)[1:]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Made-up figures of every benchmark."""
    seconds = {"scenes": 1.0, "superpoints": 2.0}
    grown = {
        "boxes": 2,
        "regions": 50,
        "pairs": 3,
        "seconds": 4.0,
        "cpu_seconds": 3.5,
        "labelling_seconds": 2.5,
        "stages": seconds,
        "peak_bytes": 2**29,
    }
    exponents = {
        "seconds": 1.25,
        "cpu_seconds": 1.5,
        "labelling_seconds": 1.0,
        "peak_bytes": None,
        **dict.fromkeys(seconds, 0.5),
    }
    series = {
        "rows": [{"points": 1000, **grown}, {"points": 4000, **grown}],
        "exponents": {"points": exponents, "pairs": exponents},
    }
    content: dict[str, dict[str, Any]] = {
        "ablations": {
            "real": {"default": figures(0.5), "none": figures(0.25)},
            "rooms": {"default": figures(0.7)},
            "few_rooms": {"smallest box, points": figures(0.4)},
        },
        "noise": {
            "seeds": [0, 1],
            "real": {"exact": {"default": [figures(0.5), figures(0.7)], "paper": [figures(0.3)]}},
        },
        "alternatives": {"rooms": {"regions": {"scenes": 2, "objects": 5, "rows": {"the default": {"ap": 0.5}}}}},
        "partitions": {"mesh": {"given": figures(0.5)}},
        "tuning": {"settings": {"shipped": {}}, "rooms": {"exact boxes": tuned()}},
        "calibration": {"real": {"default": figures(0.5)}},
        "growth": {"fit_from": 1000, "finer": series, "larger": series, "pairs": series},
        "engines": {
            "tables": [
                load("first", "paper", [timed("published", 6.0), timed("ours", 1.5)]),
                load("second", "paper", [timed("published", 2.0), timed("joint", 0.5)]),
                load("second", "folder", [timed("published", 2.0)]),
            ]
        },
        "machine": {
            "rates": [
                {"n": 32, "batch": 1, **{f"{name}_float{bits}": 1.0 for name in RATES for bits in (32, 64)}},
            ],
            "engines": [
                {"n": 32, "engine": "a", "precision": "b", "steps": 1.0, "milliseconds": 2, "rate": 3.0, "share": 0.5}
            ],
        },
        "reduction": {"versions": {}, "a load": [reduced(None), reduced(50)]},
        "stores": {"versions": {"zarr": "3"}, "scenes": 2, "layouts": [laid_out("folders"), laid_out("zips")]},
        "planning": {
            "scenes": 1000,
            "stages": 5,
            "rows": [
                {"what": "`plan`", "seconds": 2.0, "cpu_seconds": 1.5, "peak_bytes": 2**28},
                {"what": "saved", "seconds": 2.0, "cpu_seconds": 1.5},
            ],
        },
        "overhead": {
            "scenes": 400,
            "rows": [{"executor": "here", "largest_chunk": 8, "warm": 3.5, "cold": 1234.0}],
            "shares": {"rename": 0.034},
        },
        "gpu": {"device": "cuda", "dtype": "float64", "paper": {"scenes": 2, "rows": [on_device("ours")]}},
        "convolution": {
            "device": "cpu",
            "compared": [],
            "grown": [{"voxels": 9, "neighbours": 5.0, "tables": 1.0, "forward": 2.0, "step": 3.0}],
        },
        "experiment": {
            "seeds": [0],
            "rooms": {"train": 2, "val": 1},
            "steps": [4, 2],
            "rows": [experiment.summary(row, {one.key: {} for one in ROWS}) for row in ROWS],
        },
        "review_page": {
            "points": 50_000,
            "browser": "1.2",
            **dict.fromkeys(("first_view", "whole_view", "click", "correction", "frame", "rested"), 12.0),
        },
        "exports": {
            "load": "rooms",
            "rows": [
                {
                    "format": "ply",
                    "scenes": 2,
                    "points": 3000,
                    "command_seconds": 1.5,
                    "seconds": 0.5,
                    "files": 7,
                    "bytes": 4_000_000,
                    "peak_bytes": 2**28,
                }
            ],
        },
        "second_labels": {"runs": {"demo": {"noise": {}, "rooms": 2, "objects": 3, "ways": {"nothing": relabelled()}}}},
    }
    for name, values in content.items():
        (tmp_path / f"{name}.json").write_text(json.dumps({"machine": MACHINE, **values}))
    return tmp_path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_tables_in_documents_are_those_of_the_committed_figures(name: str) -> None:
    text = (ROOT / name).read_text()
    assert fill(text, ROOT / RESULTS) == text, "run: python -m benchmarks.report"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_table_stands_in_its_document(name: str) -> None:
    text = (ROOT / name).read_text()
    assert tuple(found[2] for found in MARKED.finditer(text)) == DOCUMENTS[name]
    assert text.count("<!-- bench ") == text.count("<!-- end bench -->") == len(DOCUMENTS[name])


def test_no_table_is_without_a_document() -> None:
    assert sorted(TABLES) == sorted(name for names in DOCUMENTS.values() for name in names)


def test_committed_figures_name_no_folder() -> None:
    absolute = re.compile(r"(?<![\w.])(/[\w.~-]+){2,}")
    assert absolute.search('"scenes.path=/somewhere/scans"')
    for file in (ROOT / RESULTS).glob("*.json"):
        assert absolute.findall(file.read_text()) == [], file


def test_rendering_is_idempotent_and_leaves_the_text_around_alone(results: Path) -> None:
    text = "".join(f"before {name}\n\n<!-- bench {name} -->\nstale\n<!-- end bench -->\n\n" for name in TABLES)
    once = fill(text, results)
    assert "stale" not in once
    assert "Not measured yet" not in once
    assert fill(once, results) == once
    assert MARKED.sub("", once) == MARKED.sub("", text)


def test_missing_figures_are_said_and_unknown_tables_refused(tmp_path: Path) -> None:
    assert table("noise", tmp_path).startswith("Not measured yet: `benchmarks/noise.py` ")
    with pytest.raises(ValueError, match="no table is called colour"):
        fill("<!-- bench colour -->\n<!-- end bench -->", tmp_path)


def test_ways_stand_side_by_side_on_both_loads(results: Path) -> None:
    text = table("handling", results)
    assert cells(text, "default") == [
        *("0.500", "0.750", "0.250", "0.600", "3.75"),
        *("0.700", "0.750", "0.250", "0.600", "3.75"),
    ]
    assert cells(text, "none")[:5] == ["0.250", "0.750", "0.250", "0.600", "3.75"]
    assert cells(text, "none")[5:] == ["-"] * 5
    assert "`paper`" not in text
    assert "No real scans were given" not in text
    assert "a processor, 2 cores" in text
    few = table("points", results)
    assert "(real)" not in few
    assert cells(few, "smallest box, points")[0] == "0.400"


def test_noise_is_averaged_over_the_seeds(results: Path) -> None:
    found = cells(table("noise", results), "exact")
    assert found[:3] == ["0.600 ± 0.141", "0.750 ± 0.000", "0.110 ± 0.000"]
    assert found[4:7] == ["0.500 ± 0.000", "0.750 ± 0.000", "0.300"]


def test_calibration_stands_beside_the_constant(results: Path) -> None:
    lines = [line for line in table("calibration", results).splitlines() if line.startswith("| default")]
    overlap, background = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert overlap[1:] == ["overlap", "2", "1,234", "0.900", "0.110", "0.120", "0.130", "-", "0.310", "0.120", "0.130"]
    assert background[-3:] == ["-", "-", "-"]


def test_growth_has_its_exponents_below_sizes_that_grow(results: Path) -> None:
    text = table("growth", results)
    assert cells(text, "4,000") == ["50", "2", "3", "4.0", "3.5", "2.5", "1.0", "2.0", "0.50"]
    assert cells(text, "exponent by points") == ["", "", "", "1.25", "1.50", "1.00", "0.50", "0.50", "-"]
    assert "exponent by pairs" not in text


def test_engines_are_compared_with_the_published_one_on_each_load(results: Path) -> None:
    text = table("engines", results)
    assert cells(text, "problems of `paper`: ours") == ["1.500", "4.0", "0.500", "-", "-", "-"]
    assert cells(text, "problems of `paper`: joint") == ["-", "-", "-", "0.500", "4.0", "0.500"]
    assert cells(text, "problems of the default: published") == ["-", "-", "-", "2.000", "1.0", "0.500"]
    in_full = table("engines_in_full", results)
    assert in_full.count("2 scenes, second, ") == 2
    assert (
        "sample of 12 of the 30 pairs and extrapolated, without labels; sides are compared on these pairs: joint."
        in in_full
    )
    assert "released generator" not in in_full
    rooms = engines_in_full(
        {"machine": MACHINE, "tables": [load("built-in rooms", "paper", [timed("published", 6.0)])]}
    )
    assert "took 53 to 135 s" in rooms
    assert "its engine alone takes 0.5 s here" in rooms
    assert cells(table("gpu", results), "ours")[1:3] == ["3.00", "1.5000"]
    assert cells(table("reduction", results), "50")[:4] == ["70", "0.250", "0.50000", "1.25 %"]


def test_commands_and_tasks_have_their_costs(results: Path) -> None:
    text = table("planning", results)
    assert cells(text, "`plan`") == ["2.0", "1.5", "0.25"]
    assert cells(text, "saved") == ["2.0", "1.5", "-"]
    assert "1,000 scenes, 5 stages" in text
    text = table("overhead", results)
    assert cells(text, "here") == ["8", "3.5", "1,234.0"]
    assert cells(text, "rename") == ["0.03"]
