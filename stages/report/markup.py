"""Facts as HTML; every text from outside passes ``escaped``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from urllib.parse import quote

from stages.report.charts import Chart
from stages.report.encoding import escaped
from stages.report.tables import Cell, Table

_KEYS = (
    ("n p", "next, previous scene"),
    ("1 - 6", "colours"),
    ("b", "boxes"),
    ("c", "contested regions only"),
    ("Esc", "everything again"),
)


def table_html(table: Table, viewed: Collection[str]) -> str:
    """A table; links lead to the scenes that have a view."""
    head = "".join(f'<th scope="col">{escaped(cell)}</th>' for cell in table.header)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_cell(cell, viewed)}</td>" for cell in row) + "</tr>\n" for row in table.rows
    )
    kind = ' class="text"' if table.text else ""
    note = f'<p class="note">{escaped(table.note)}</p>' if table.note else ""
    return (
        f'<div class="wide"><table{kind}><caption>{escaped(table.caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>{note}"
    )


def _cell(cell: Cell, viewed: Collection[str]) -> str:
    if isinstance(cell, str):
        return escaped(cell)
    if cell.scene not in viewed:
        return escaped(cell.text)
    place = f"view/{quote(cell.scene)}" + ("" if cell.object is None else f"/{cell.object}")
    return f'<a href="#{escaped(place)}">{escaped(cell.text)}</a>'


def figures_html(figures: Iterable[tuple[str, str]]) -> str:
    """Some figures, large."""
    items = "".join(f"<li><b>{escaped(value)}</b><span>{escaped(name)}</span></li>" for name, value in figures)
    return f'<ul class="figures">{items}</ul>'


def problems_html(title: str, lines: Sequence[str]) -> str:
    """What went wrong; empty where nothing did."""
    if not lines:
        return ""
    items = "".join(f"<li>{escaped(line)}</li>" for line in lines)
    return f'<div class="problems"><strong>{escaped(title)}</strong><ul>{items}</ul></div>'


def charts_html(charts: Sequence[Chart]) -> str:
    """Places for charts, which page.js draws."""
    figures = "".join(
        f"<figure><figcaption>{escaped(chart.title)}<small>{escaped(chart.note)}</small></figcaption>"
        f'<div class="chart" id="{chart.id}" role="img" aria-label="{escaped(chart.title)}"></div></figure>\n'
        for chart in charts
    )
    return f'<div class="charts">{figures}</div>'


def viewer_html(note: str) -> str:
    """The place where one scene is shown at a time, with its controls."""
    keys = ", ".join(
        " ".join(f"<kbd>{escaped(key)}</kbd>" if key != "-" else "to" for key in press.split()) + f" {escaped(meaning)}"
        for press, meaning in _KEYS
    )
    views = "".join(
        f'<button type="button" data-view="{name}">{name.capitalize()}</button>'
        for name in ("corner", "top", "front", "side")
    )
    return f"""<p class="note">{escaped(note)}</p>
<div class="controls">
<label>Scene <select id="scene"></select></label>
<span><button type="button" data-step="p" aria-label="previous scene">&lsaquo;</button>
<button type="button" data-step="n" aria-label="next scene">&rsaquo;</button></span>
<label>Colour <select id="color"></select></label>
<label>Show <select id="object"></select></label>
<label><input type="checkbox" id="boxes" checked> Boxes</label>
<label><input type="checkbox" id="contested"> Contested only</label>
<span class="views" role="group" aria-label="view from">{views}</span>
</div>
<div class="stage"><div id="plot" role="img" aria-label="the scene in three dimensions"></div>
<ul id="objects" aria-label="objects"><li class="head" aria-hidden="true"><span></span><span class="name">object</span>
<span title="mean uncertainty">unc.</span><span title="IoU with the true instance">IoU</span></li></ul></div>
<div id="legend"></div>
<p id="said" class="note" aria-live="polite"></p>
<p class="note keys">Drag to turn, scroll to come closer, point at a region to read who owns it and how sure that is.
Keys: {keys}.</p>"""


def section(name: str, title: str, content: str) -> str:
    """A part of the page that the navigation leads to; empty without content."""
    return f'<section id="{name}"><h2>{escaped(title)}</h2>\n{content}\n</section>\n' if content else ""
