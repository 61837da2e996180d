"""Figures of the engines, of the machine's rates and of the accelerator as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rendering import Figures, provenance, with_notes
from benchmarks.tables import number, table

RELEASED_ROOM = (53.0, 135.0)
"""Seconds that the released generator took for a room of 300,000 points and about 2,300 regions, on another CPU."""
PROBLEMS = {"paper": "problems of `paper`", "folder": "problems of the default"}


def engines(content: Figures) -> str:
    """Processor seconds of the Gaussian Processes and label AP, loads side by side.

    How many times faster is said in comparison with the first engine under the published settings (the first table of
    a load).
    """
    loads: dict[str, list[Figures]] = {}
    for one in content["tables"]:
        loads.setdefault(one["load"], []).append(one)
    header, notes, width = ["problems and engine"], [], 3 * len(loads)
    rows: dict[tuple[str, str], list[str]] = {}
    for place, (load, shown) in enumerate(loads.items(), start=1):
        header += [f"({place}) CPU s a scene", "times faster", "label AP"]
        slowest = shown[0]["rows"][0]["cpu_seconds_a_scene"]
        pairs = []
        for one in shown:
            problems = PROBLEMS[one["configuration"]]
            pairs.append(f"{one['pairs'] / one['scenes']:.1f} pairs a scene among the {problems}")
            for row in one["rows"]:
                cells = rows.setdefault((problems, row["engine"]), ["-"] * width)
                faster = number(slowest / row["cpu_seconds_a_scene"], 1)
                cells[3 * place - 3 : 3 * place] = [_seconds(row), faster, number(row["label_ap"])]
        notes.append(f"({place}) {shown[0]['scenes']} scenes, {load}, {', '.join(pairs)}")
    ordered = sorted(rows, key=lambda key: list(PROBLEMS.values()).index(key[0]))
    notes.append("± where a sample of the pairs was timed, which gives no labels")
    body = table(header, [[f"{problems}: {engine}", *rows[problems, engine]] for problems, engine in ordered])
    return with_notes(body, [*notes, provenance(content)])


def engines_in_full(content: Figures) -> str:
    """Every load under both sets of problems, with agreement of owners and failures."""
    header = ["engine", "s a scene", "CPU s a scene", "times faster", "CPU ms a pair", "label AP", "AP50"]
    header += ["owner as published", "as laplace", "side as published", "failed", "warm-up s"]
    parts = []
    for one in content["tables"]:
        slowest = one["rows"][0]["cpu_seconds_a_scene"]
        rows = [
            [
                row["engine"],
                number(row["seconds_a_scene"]),
                _seconds(row),
                number(slowest / row["cpu_seconds_a_scene"], 1),
                number(row["milliseconds_a_pair"], 2),
                *(number(row[key]) for key in ("label_ap", "label_ap50")),
                *(number(row.get(key), 4) for key in ("as_published", "as_laplace", "side_as_published")),
                str(row["failed"]),
                number(row["warm_up_seconds"], 2),
            ]
            for row in one["rows"]
        ]
        about = f"{one['scenes']} scenes, {one['load']}, {PROBLEMS[one['configuration']]}: {one['pairs']:,} pairs"
        parts.append(f"{about}, {statistics.fmean(one['regions']):,.0f} regions a scene:\n\n{table(header, rows)}")
        parts += _engine_notes(one)
    return with_notes("\n\n".join(parts), [provenance(content)])


def _engine_notes(one: Figures) -> list[str]:
    """What the table of a load does not say by itself."""
    notes = []
    sampled = [row for row in one["rows"] if 0 < row["timed_pairs"] < row["all_pairs"]]
    if sampled:
        names = "; ".join(row["engine"] for row in sampled)
        notes.append(
            f"Timed on a seeded sample of {sampled[0]['timed_pairs']} of the {sampled[0]['all_pairs']} pairs and "
            f"extrapolated, without labels; sides are compared on these pairs: {names}."
        )
    if one["configuration"] == "paper" and "rooms" in one["load"]:
        low, high = RELEASED_ROOM
        notes.append(
            f"The released generator took {low:.0f} to {high:.0f} s for a room of 300,000 points and about 2,300 "
            f"regions on another CPU; its engine alone takes {one['rows'][0]['seconds_a_scene']:.1f} s here."
        )
    return notes


def machine(content: Figures) -> str:
    """Rates of factorisations and products, then the share of them that each engine reaches."""
    columns = [f"{operation}_{dtype}" for operation in ("cholesky", "product") for dtype in ("float64", "float32")]
    rates = table(
        ["n", "batch", *(column.replace("_", " ") for column in columns)],
        [[str(row["n"]), str(row["batch"]), *(number(row[name], 1) for name in columns)] for row in content["rates"]],
    )
    header = ["n", "engine", "precision", "steps", "ms a problem", "10^9 operations a second", "share of Cholesky"]
    rows = [
        [
            *(str(row[key]) for key in ("n", "engine", "precision")),
            number(row["steps"], 1),
            number(row["milliseconds"], 2),
            number(row["rate"], 2),
            f"{100 * row['share']:.0f} %",
        ]
        for row in content["engines"]
    ]
    body = f"Billions of operations a second:\n\n{rates}\n\nEngines:\n\n{table(header, rows)}"
    return with_notes(body, [provenance(content)])


def reduction(content: Figures) -> str:
    """What learning from the nearest determined regions alone changes; one table a load."""
    header = ["determined regions a side", "largest problem", "largest difference", "mean", "owner changes", "label AP"]
    header += ["CPU s"]
    parts = []
    for name, found in content.items():
        if not isinstance(found, list):
            continue
        rows = [
            [
                str(row["limit"] or "all"),
                str(row["largest"]),
                number(row["maximum_difference"]),
                number(row["mean_difference"], 5),
                f"{100 * row['owner_changes']:.2f} %",
                number(row["ap"]),
                number(row["cpu_seconds"], 2),
            ]
            for row in found
        ]
        parts.append(f"{name}, {found[0]['entries']:,} contested entries of pairs:\n\n{table(header, rows)}")
    return with_notes("\n\n".join(parts), [provenance(content)])


def gpu(content: Figures) -> str:
    """Seconds of all problems of a load at once on a device, and how far they are from the CPU's answers."""
    header = ["engine", "problems", "seconds", "a scene", "largest difference", "same side", "failed", "peak GiB"]
    parts = []
    for configuration in (name for name in PROBLEMS if name in content):
        found = content[configuration]
        rows = _device_rows(found["rows"], found["scenes"])
        parts.append(f"{found['scenes']} scenes, {PROBLEMS[configuration]}:\n\n{table(header, rows)}")
    return with_notes("\n\n".join(parts), [f"Device {content['device']}, {content['dtype']}", provenance(content)])


def _device_rows(rows: Sequence[Mapping[str, Any]], scenes: int) -> list[list[str]]:
    return [
        [
            row["engine"],
            str(row["problems"]),
            number(row["seconds"], 2),
            number(row["seconds"] / scenes, 4),
            f"{row['largest_difference']:.1e}",
            f"{100 * row['same_side']:.2f} %",
            str(row["failed"]),
            number(row["peak_memory_gib"], 2),
        ]
        for row in rows
    ]


def _seconds(row: Figures) -> str:
    error = f" ± {row['standard_error']:.2f}" if row["standard_error"] else ""
    return number(row["cpu_seconds_a_scene"]) + error
