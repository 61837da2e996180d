"""The page: facts as one HTML file that needs nothing but itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.resources import files

import numpy as np

from stages.report import charts
from stages.report.charts import Chart
from stages.report.colors import BACKGROUND, SOURCES, STRIDE, UNBOXED, UNCERTAINTY, palette
from stages.report.encoding import escaped, script_json
from stages.report.facts import RunFacts, smallest_box_iou
from stages.report.markup import charts_html, figures_html, problems_html, section, table_html, viewer_html
from stages.report.tables import (
    WORST,
    Table,
    most_uncertain_objects,
    quality_tables,
    round_table,
    scene_table,
    scene_tables,
    worst_objects,
)
from stages.structures import LabelSource
from stages.summary.drift import collapse, percent
from stages.summary.figures import Figures, pool_figures
from stages.summary.table import counted, number

_CONTESTED = ("determined", "contested: in several boxes", "contested: maybe background")
_MOST_NAMED = 20
"""scenes that are named one by one"""
_SECTIONS = (
    ("scenes", "Scenes"),
    ("look", "Worth a look"),
    ("quality", "Quality"),
    ("distributions", "Distributions"),
    ("rounds", "Rounds"),
    ("made", "How it was made"),
)


def page(facts: RunFacts, plotly: str) -> str:
    """The HTML of a report; ``plotly`` is the text of plotly.js."""
    figures = {number_of_round: pool_figures(found) for number_of_round, found in facts.evaluations.items()}
    drawn = _charts(facts, figures.get(facts.round))
    parts = _parts(facts, figures, drawn)
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title in _SECTIONS if parts.get(name))
    sections = "".join(section(name, title, parts.get(name, "")) for name, title in _SECTIONS)
    body = f"{_head(facts, figures.get(facts.round))}<nav>{links}</nav>\n<main>\n{sections}</main>\n{_foot(facts)}"
    pieces = {
        "title": escaped(f"{facts.name}: boxgp report"),
        "css": _packaged("page.css"),
        "body": body,
        "plotly": plotly,
        "data": _data(facts, drawn),
        "js": _packaged("page.js"),
    }
    # in one pass over the skeleton, so that nothing inside a piece is taken for a place of another
    skeleton = _packaged("page.html").split("{{")
    return skeleton[0] + "".join(pieces[name] + rest for name, rest in (one.split("}}", 1) for one in skeleton[1:]))


def _packaged(name: str) -> str:
    return files("stages.report").joinpath(name).read_text(encoding="utf-8")


def _head(facts: RunFacts, figures: Figures | None) -> str:
    when = facts.history.ended.replace("T", " ")
    few = f" out of {facts.labelled:,}" if len(facts.scenes) < facts.labelled else ""
    source = "built-in rooms" if facts.built_in else f"source {facts.source}" if facts.source else ""
    said = [
        f"round {facts.round}",
        counted(len(facts.scenes), "labelled scene") + few,
        source,
        f"{when} UTC" if when else "",
    ]
    return (
        f'<header><h1>{escaped(facts.name)}</h1>\n<p class="soft">Instance masks from boxes, by boxgp · '
        f"{escaped(' · '.join(one for one in said if one))}</p>\n{figures_html(_key_figures(facts, figures))}"
        f"{_problems(facts, figures)}</header>\n"
    )


def _key_figures(facts: RunFacts, figures: Figures | None) -> list[tuple[str, str]]:
    points = sum(one.points for one in facts.scenes)
    contested = sum(one.contested_share * one.points for one in facts.scenes) / max(points, 1)
    found = [("scenes", f"{len(facts.scenes):,}"), ("objects", f"{len(facts.objects):,}"), ("points", f"{points:,}")]
    if figures is not None and figures.truth is not None:
        quality = figures.truth.labels.quality
        found += [("label AP", number(quality.ap)), ("AP50", number(quality.ap50))]
        found.append(("mean IoU", number(quality.mean_iou)))
    found.append(("of the points contested", percent(contested)))
    doubt = [(one.uncertainty, one.points) for one in facts.scenes if not math.isnan(one.uncertainty)]
    if doubt:
        mean = float(np.average([value for value, _ in doubt], weights=[weight for _, weight in doubt]))
        found.append(("mean uncertainty", number(mean)))
    return found


def _problems(facts: RunFacts, figures: Figures | None) -> str:
    failed = [f"{scene}: {why}" for scene, why in facts.problems]
    count = len({scene for scene, _ in facts.problems})
    broken = problems_html(f"{counted(count, 'scene')} with problems", failed)
    names = ", ".join(facts.unfinished[:_MOST_NAMED]) + (" ..." if len(facts.unfinished) > _MOST_NAMED else "")
    count = len(facts.unfinished)
    open_ones = problems_html(f"Unfinished: {counted(count, 'scene')} without labels", [names] if names else [])
    missing = len(facts.scenes) - len(facts.evaluations.get(facts.round, ()))
    rest = [f"the figures below leave them out: {counted(missing, 'scene')}"] if 0 < missing < len(facts.scenes) else []
    drift = figures.drift if figures is not None else None
    alarms = collapse(drift, facts.evaluations[facts.round]) if drift is not None else ()
    return (
        broken
        + open_ones
        + problems_html("Some scenes are not evaluated", rest)
        + problems_html("The labels of this round", alarms)
    )


def _parts(facts: RunFacts, figures: Mapping[int, Figures], drawn: Sequence[Chart]) -> dict[str, str]:
    """The content of each section."""
    viewed = {str(view["scene"]) for view in facts.views}

    def tables(*found: Table | None) -> str:
        return "\n".join(table_html(one, viewed) for one in found if one is not None)

    now = figures.get(facts.round)
    looks = [table for table in (worst_objects(facts.objects), most_uncertain_objects(facts.objects)) if table]
    quality = tables(*quality_tables(now)) if now is not None else ""
    if now is not None and now.truth is None:
        quality = '<p class="note">The scans have no ground truth: nothing tells how good the labels are.</p>' + quality
    if facts.predictions:
        quality += f"<h3>Predictions of the network</h3><pre>{escaped(facts.predictions)}</pre>"
    rounds = ""
    if len(figures) > 1:
        doubt = {one: _uncertainty(facts, one) for one in figures}
        rounds = tables(round_table(figures, doubt))
    pairs = "".join(f"<div>{tables(one)}</div>" for one in (*looks, *scene_tables(facts.scenes)))
    every = ""
    if len(facts.scenes) > WORST:
        every = f"<details><summary>All {counted(len(facts.scenes), 'scene')}</summary>"
        every += f"{tables(scene_table('Scenes', facts.scenes))}</details>"
    return {
        "scenes": viewer_html(_thinning(facts)) if facts.views else "",
        "look": f'<div class="pair">{pairs}</div>{every}' if pairs else "",
        "quality": quality,
        "distributions": charts_html(drawn) if drawn else "",
        "rounds": rounds,
        "made": tables(*_made(facts)),
    }


def _uncertainty(facts: RunFacts, number_of_round: int) -> float:
    owners = [one.owners for one in facts.evaluations[number_of_round]]
    points = sum(one.boxed_points for one in owners)
    return sum(one.uncertainty * one.boxed_points for one in owners) / points if points else math.nan


def _thinning(facts: RunFacts) -> str:
    shown = sum(int(view["shown"]) for view in facts.views)
    total = sum(int(view["points"]) for view in facts.views)
    note = f"This page shows {shown:,} of {total:,} points"
    if shown < total:
        note += ", thinned evenly; every region keeps at least one"
    if len(facts.views) < len(facts.scenes):
        note += (
            f". It has room for {len(facts.views)} of {len(facts.scenes):,} scenes: the worst, the most uncertain, "
            "and some spread evenly; boxgp report --scenes chooses others"
        )
    return note + "."


def _made(facts: RunFacts) -> list[Table]:
    history = facts.history
    rows = [["configuration", facts.name], ["started", _moment(history.started)], ["ended", _moment(history.ended)]]
    rows += [["commit", ", ".join(history.commits) or "not known"]]
    rows += [["versions", ", ".join(f"{name} {version}" for name, version in history.versions.items())]]
    rows += [["stages", ", ".join(f"{name} {version}" for name, version in history.stages.items())]]
    options = [[one.key, one.value, one.default] for one in facts.options]
    costs = [
        [stage, f"{len(took):,}", *(f"{value:,.2f}" for value in (sum(took) / len(took), max(took), sum(took)))]
        for stage, took in history.seconds.items()
    ]
    changed = Table("Options that are not at their default", ("option", "value", "default"), options, text=True)
    return [
        Table("The run", ("what", "value"), rows, text=True),
        *([changed] if options else []),
        Table("Seconds of each stage", ("stage", "scenes", "mean", "longest", "total"), costs),
    ]


def _moment(text: str) -> str:
    return f"{text.replace('T', ' ')} UTC" if text else "not known"


def _charts(facts: RunFacts, figures: Figures | None) -> list[Chart]:
    truth = figures.truth if figures is not None else None
    tables = {name: found.reliability for name, found in truth.calibration.items()} if truth is not None else {}
    histogram = np.sum([one.histogram for one in facts.scenes], axis=0) if facts.scenes else np.zeros((3, 1), np.int64)
    found = [
        charts.iou_histogram(facts.objects, smallest_box_iou(facts.evaluations.get(facts.round, ()))),
        charts.iou_by_class(facts.objects),
        charts.uncertainty_histogram(histogram),
        charts.reliability_chart(tables),
        charts.review_chart(facts.review),
        charts.sources_chart(figures.source_share if figures is not None else {}),
        charts.seconds_chart(facts.history.seconds),
    ]
    return [chart for chart in found if chart is not None]


def _data(facts: RunFacts, drawn: Sequence[Chart]) -> str:
    report = {
        "scenes": [view["scene"] for view in facts.views],
        "charts": [chart.plain() for chart in drawn],
        "palette": palette().tolist(),
        "stride": STRIDE,
        "background": BACKGROUND,
        "unboxed": UNBOXED,
        "sources": [{"name": member.name.lower(), "color": SOURCES[member]} for member in LabelSource],
        "contested": _CONTESTED,
        "uncertainty": UNCERTAINTY,
    }
    scripts = {"report": report} | {f"scene-{place}": view for place, view in enumerate(facts.views)}
    return "\n".join(
        f'<script type="application/json" id="{name}">{script_json(value)}</script>' for name, value in scripts.items()
    )


def _foot(facts: RunFacts) -> str:
    own = (
        "The rooms on this page are built into boxgp: nobody's scans."
        if facts.built_in
        else "This page contains geometry of the scans that it was made from, which stays under their own terms: ask "
        "whether they allow it before you pass the page on."
    )
    return (
        f"<footer><p>{own}</p><p>Made by boxgp {escaped(facts.history.versions.get('boxgp', ''))} "
        "with plotly.js (MIT license). The page loads nothing from a network.</p></footer>"
    )
