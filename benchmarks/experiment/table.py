"""The table of the experiment: every row against the ceiling and against the labels of Gaussian Processes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.experiment.rows import CEILING, GP, LEFT_OUT, ROWS, SMALLEST_BOX, Job, Row
from benchmarks.experiment.settings import Experiment, Folder
from benchmarks.tables import table

GOAL_SHARE, GOAL_CEILING = 0.92, 0.75
"""of the best row's AP in the ceiling's, and of the ceiling's AP50"""
_MEASURES = ("ap", "ap50", "ap25")


def figures_of(folder: Folder) -> dict[str, Any]:
    """All figures: by row, those of each seed that is done, their summary, and what they show."""
    experiment = folder.read()
    seeds = {row.key: _seeds(row, experiment, folder) for row in ROWS}
    return {
        "seeds": list(experiment.seeds),
        "rooms": {"train": len(experiment.train), "val": len(experiment.val)},
        "steps": [experiment.steps(Job("gp", "none", 0)), experiment.steps(Job("gp", "none", 0, ROWS[0]))],
        "rows": [summary(row, seeds) for row in ROWS],
    }


def _seeds(row: Row, experiment: Experiment, folder: Folder) -> dict[str, dict[str, Any]]:
    """The figures of a row's seeds whose two phases are done."""
    found = {}
    for seed in experiment.seeds:
        job = Job(row.labels, row.uncertainty, seed, row)
        second = folder.result(job, experiment)
        first = None if job.first is None else folder.result(job.first, experiment)
        if first is not None and second is not None:
            own = {name: second[name] for name in (*_MEASURES, "labels", "device")}
            found[str(seed)] = {**own, "minutes": (first["seconds"] + second["seconds"]) / 60}
    return found


def summary(row: Row, seeds: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """The figures of one row; ``seeds``: row -> seed -> figures. None stands for what is not known."""
    own = seeds[row.key]
    ap, ceiling = _mean(_known(own, "ap")), _mean(_known(seeds[CEILING], "ap"))
    both = [seed for seed in own if seed in seeds[GP] and None not in (own[seed]["ap"], seeds[GP][seed]["ap"])]
    gain = [own[seed]["ap"] - seeds[GP][seed]["ap"] for seed in both]
    labels = [one["labels"]["ap"] for one in own.values() if one["labels"]["ap"] is not None]
    minutes = _known(own, "minutes")
    return {
        "row": row.key,
        "name": row.name,
        "seeds": dict(own),
        **{name: _spread(_known(own, name)) for name in _MEASURES},
        "share_of_ceiling": None if ap is None or not ceiling else ap / ceiling,
        "gain_over_gp": None if row.key == GP else _spread(gain),
        "label_ap": _spread(labels),
        "minutes": _mean(minutes),
    }


def rendered(figures: Mapping[str, Any]) -> str:
    """The table, and what follows from it."""
    header = [
        "labels and training",
        "AP",
        "AP50",
        "AP25",
        "of the ceiling",
        "AP against GP",
        "label AP",
        "min",
        "seeds",
    ]
    rows = [_cells(one, len(figures["seeds"])) for one in figures["rows"]]
    train, val = figures["rooms"]["train"], figures["rooms"]["val"]
    first, second = figures["steps"]
    about = (
        f"{train} rooms to learn from, {val} others to be judged on; {first} steps and {second} more. AP is "
        "class-agnostic; mean ± standard deviation over seeds; minutes of both phases, in one process."
    )
    return "\n".join([table(header, rows), "", about, "", *(f"- {line}" for line in statements(figures["rows"]))])


def statements(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Whether the rows come in the order of the paper, and how near boxes come to the ceiling."""
    by_key = {one["row"]: one for one in rows}
    return [_order(by_key), _best(by_key), _ceiling(by_key[CEILING])]


def _order(rows: Mapping[str, Mapping[str, Any]]) -> str:
    what = "AP: contested left out < smallest box < GP"
    ap = [None if rows[key]["ap"] is None else rows[key]["ap"]["mean"] for key in (LEFT_OUT, SMALLEST_BOX, GP)]
    known = [value for value in ap if value is not None]
    if len(known) < len(ap):
        return f"{what}: not known, rows are missing"
    holds = known[0] < known[1] < known[2]
    return f"{what}: {'holds' if holds else 'does not hold'} ({', '.join(f'{value:.3f}' for value in known)})"


def _best(rows: Mapping[str, Mapping[str, Any]]) -> str:
    shares = {one["name"]: one["share_of_ceiling"] for key, one in rows.items() if key != CEILING}
    known = {name: share for name, share in shares.items() if share is not None}
    if not known:
        return "best row from boxes: not known, rows are missing"
    best = max(known, key=lambda name: known[name])
    return f"best row from boxes: {best}, {_percent(known[best])} of the ceiling's AP (goal: {100 * GOAL_SHARE:.0f} %)"


def _ceiling(row: Mapping[str, Any]) -> str:
    if row["ap50"] is None:
        return "ceiling's AP50: not known, the row is missing"
    return f"ceiling's AP50: {row['ap50']['mean']:.3f} (goal: {GOAL_CEILING:.2f})"


def _cells(row: Mapping[str, Any], seeds: int) -> list[str]:
    if not row["seeds"]:
        return [row["name"], "missing", *[""] * 6, f"0 of {seeds}"]
    share, minutes = row["share_of_ceiling"], row["minutes"]
    return [
        row["name"],
        *(_shown(row[name]) for name in _MEASURES),
        "-" if share is None else _percent(share),
        _shown(row["gain_over_gp"], sign="+"),
        _shown(row["label_ap"]),
        "-" if minutes is None else f"{minutes:.1f}",
        f"{len(row['seeds'])} of {seeds}",
    ]


def _known(seeds: Mapping[str, Mapping[str, Any]], name: str) -> list[float]:
    return [one[name] for one in seeds.values() if one[name] is not None]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _spread(values: Sequence[float]) -> dict[str, float | None] | None:
    """Mean and sample standard deviation; of a single value there is none."""
    if not values:
        return None
    return {"mean": statistics.fmean(values), "deviation": statistics.stdev(values) if len(values) > 1 else None}


def _shown(spread: Mapping[str, float | None] | None, sign: str = "") -> str:
    if spread is None:
        return "-"
    deviation = spread["deviation"]
    return f"{spread['mean']:{sign}.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
