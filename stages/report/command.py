"""``boxgp report``: one HTML file that shows a run."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipeline.atomic import write_text_atomic
from pipeline.commands import chosen_scenes
from pipeline.errors import ConfigurationError
from pipeline.results import chosen_among, results_of
from pipeline.show import count
from pipeline.stage import Stage

FILE = "report.html"
_MEGABYTE = 1e6


def report(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> int:
    """Writes the page; 1 where a scene with labels could not be read, else 0.

    Raises InputError where there is no such run, round or scene, ConfigurationError for a file that cannot be one, and
    StoreError where it cannot be written.
    """
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]

    from stages.report.gather import gather
    from stages.report.page import page

    results = results_of(arguments.run, arguments.round)
    scenes = chosen_among(results, chosen_scenes(arguments.scenes))
    target = results.folder / FILE if arguments.to is None else Path(arguments.to).expanduser()
    if target.is_dir():
        raise ConfigurationError(f"--to {arguments.to}: that is a folder; name a file in it, as in {target / FILE}")
    facts = gather(results, scenes, stages)
    text = page(facts, get_plotlyjs())
    write_text_atomic(target, text)
    size = len(text.encode()) / _MEGABYTE
    shown, total = (sum(int(view[name]) for view in facts.views) for name in ("shown", "points"))
    print(f"{target}: {size:.1f} MB, {count(len(facts.views), 'scene')}, {shown:,} of {total:,} points")
    unread = [scene for scene in scenes if scene not in {one.scene for one in facts.scenes}]
    if unread:
        print(f"not on the page, because their labels cannot be read: {', '.join(unread)}; the page says why")
    return 1 if unread else 0
