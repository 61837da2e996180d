"""How long a person waits for the review page: for the first picture, for a click, for a correction, while turning.

    python -m benchmarks.review_page [--points N] [--quick] [--json FILE]

A built-in room is labelled and reviewed by the real command, in a headless Chromium that draws in software (a graphics
card is faster). Wants playwright and a Chromium on the PATH.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.rendering import provenance, with_notes
from benchmarks.runs import about, run
from benchmarks.tables import number, table, write_json
from benchmarks.workload import COMMAND, rooms_load

if TYPE_CHECKING:
    from playwright.sync_api import Page

POINTS, QUICK = 1_000_000, 50_000
CLICKS = 5
_PLACES = f"""() => {{
    const found = [];
    for (let x = 300; x < 800; x += 50)
        for (let y = 250; y < 600; y += 70)
            if (review.view.pick(x, y) >= 0) found.push([x, y]);
    return found.filter((_, place) => place % Math.floor(found.length / {CLICKS}) === 0).slice(0, {CLICKS});
}}"""
"""points of the picture that show a region"""
CORRECTIONS = 5
PATIENCE_SECONDS = 120.0
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_SOFTWARE = ("--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
_WHOLE = (
    "review.view?.clouds?.[0] && !review.view.awaited && !review.view.moving "
    "&& review.view.drawn === review.view.clouds[0].count"
)
_DRAWN = (
    "await new Promise(end => {const look = () => review.view.frames > before ? end() "
    ": requestAnimationFrame(look); look()})"
)
_CLICK = f"""async ([x, y]) => {{
    const start = performance.now(), before = review.view.frames;
    await review.select([review.view.pick(x, y)]);
    {_DRAWN};
    review.view.pick(x, y);
    return performance.now() - start;
}}"""
_TURN = f"""async () => {{
    const start = performance.now();
    let frames = 0;
    while (performance.now() - start < 3000) {{
        const before = review.view.frames;
        review.view.camera.turn(4, 1);
        review.view.moved();
        {_DRAWN};
        review.view.pick(5, 5);
        frames += 1;
    }}
    return (performance.now() - start) / frames;
}}"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The link of a review of the run in ``folder``."""
    process = subprocess.Popen([str(COMMAND), "review", str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://\S+", line)))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def measure(folder: Path) -> dict[str, Any]:
    """Milliseconds of everything; raises SystemExit without a Chromium."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if program is None:
        raise SystemExit("there is no Chromium on the PATH")
    with served(folder) as link, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*_SOFTWARE])
        page = browser.new_page(viewport={"width": 1400, "height": 860})
        return {"browser": browser.version, **_open(page, link), **_work(page)}


def _open(page: Page, link: str) -> dict[str, float]:
    start = time.perf_counter()
    page.goto(link)
    _wait(page, "review.view?.frames > 0")
    first = time.perf_counter() - start
    _wait(page, _WHOLE)
    return {"first_view": 1000 * first, "whole_view": 1000 * (time.perf_counter() - start)}


def _wait(page: Page, condition: str) -> None:
    """Until a condition holds; asked again and again, since the page lets no text be evaluated within it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not page.evaluate(condition):
        if time.monotonic() > until:
            raise SystemExit(f"the page did not come to {condition} within {PATIENCE_SECONDS} s")
        time.sleep(0.005)


def _work(page: Page) -> dict[str, float]:
    clicks = [page.evaluate(_CLICK, place) for place in page.evaluate(_PLACES)]
    page.keyboard.press("n")
    corrections = []
    for done in range(CORRECTIONS):
        _wait(page, f"review.owners && {_WHOLE}")
        start = time.perf_counter()
        page.keyboard.press("Enter")
        _wait(page, f"review.state.steps.length === {done + 1} && review.owners")
        corrections.append(1000 * (time.perf_counter() - start))
    frame = page.evaluate(_TURN)
    start = time.perf_counter()
    _wait(page, _WHOLE)
    rested = 1000 * (time.perf_counter() - start)
    return {"click": median(clicks), "correction": median(corrections), "frame": frame, "rested": rested}


def rendered(content: Mapping[str, Any]) -> str:
    """One row: what a person does and how long it takes."""
    names = {
        "first_view": "link opened until the first picture",
        "whole_view": "link opened until all points are drawn",
        "click": "click until the region is drawn as selected (median of five)",
        "correction": "owner confirmed until it is saved and the next region is shown (median of five)",
        "frame": "a frame while turning, of a sample of the points",
        "rested": "all points again after turning",
    }
    rows = [[name, number(content[key], 0)] for key, name in names.items()]
    notes = [
        f"A built-in room of {content['points']:,} points. Chromium {content['browser']}, drawing in software",
        provenance(content),
    ]
    return with_notes(table(["what", "ms"], rows), notes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, help=f"default: {POINTS}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} points")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    points = chosen.points or (QUICK if chosen.quick else POINTS)
    with tempfile.TemporaryDirectory() as folder:
        run("demo", rooms_load(1, points), (), Path(folder) / "run")
        content = {**about(chosen.quick), "points": points, **measure(Path(folder) / "run")}
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()
