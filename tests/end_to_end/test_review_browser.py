"""A person's path through the review page, in a real Chromium."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from boxgp import PseudoLabels
from stages.review.queue import present_owners
from stages.structures import LabelSource
from tests.end_to_end.browser import complaints_of
from tests.end_to_end.command import completed
from tests.end_to_end.test_review import ended, reviewing
from tests.stages.review.small_run import add_scene, one_point

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
SCENE = "room_0000"


@pytest.fixture
def run(undisturbed: Path, tmp_path: Path) -> Path:
    """A complete run of one's own."""
    return Path(shutil.copytree(undisturbed, tmp_path / "out"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window with cookies of its own."""
    context = browser.new_context(viewport={"width": 1200, "height": 800})
    yield context.new_page()
    context.close()


def opened(page: Page, link: str) -> None:
    """Opens the link and waits until the scene is there."""
    page.goto(link)
    expect_text(page, "#shown", "points")


def expect_text(page: Page, selector: str, text: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_contain_text(text, timeout=30_000)


def expect_hidden(page: Page, selector: str) -> None:
    from playwright.sync_api import expect

    expect(page.locator(selector)).to_be_hidden(timeout=30_000)


def selected(page: Page) -> list[int]:
    return [int(region) for region in page.evaluate("review.selection")]


def give_to_another(page: Page) -> tuple[int, int]:
    """Gives the selected region to the first owner that is not its present one: region, owner."""
    (region,) = selected(page)
    page.wait_for_selector("#owners .owner:not(.present)")
    button = page.locator("#owners .owner:not(.present)").first
    owner = int(button.get_attribute("data-owner") or "")
    button.click()
    return region, owner


def said(run: Path, scene: str = SCENE) -> list[dict[str, Any]]:
    return list(json.loads((run / "corrections" / f"{scene}.json").read_text())["entries"])


def owners(run: Path, scene: str = SCENE) -> np.ndarray:
    return present_owners(PseudoLabels.open(run / "round_00" / "pseudo_labels" / scene).mask)


def test_from_the_queue_to_changed_labels(run: Path, page: Page) -> None:
    complaints = complaints_of(page)
    before = owners(run)
    with reviewing(run, "--reviewer", "Ada") as (process, link):
        opened(page, link)
        assert "token" not in page.url
        page.keyboard.press("n")
        expect_text(page, "#title", "Region")
        undone, _ = give_to_another(page)
        expect_text(page, "#count", "1 region")
        page.keyboard.press("u")
        expect_text(page, "#count", "none yet")
        assert selected(page) == [undone]
        first = give_to_another(page)
        expect_text(page, "#count", "1 region")
        expect_text(page, "#queue .done", " ")
        expect_text(page, "#title", "Region")
        assert selected(page) != [undone]  # on to the next one
        page.keyboard.press("0")
        expect_text(page, "#count", "2 regions")
        page.wait_for_selector("#owners .owner")
        page.reload()
        expect_text(page, "#count", "2 regions")
        command = page.locator("#command").inner_text()
        assert complaints == []
        code, text = ended(process)
    assert code == 0
    assert f"2 regions of 1 scene corrected. This makes the labels heed that:\n\n  {command}" in text
    program, *line = shlex.split(command)
    assert program == "boxgp"
    Path(run.parent / "elsewhere").mkdir()
    finished = completed(*line, cwd=run.parent / "elsewhere")
    assert finished.counts("posteriors") == finished.counts("pseudo_labels") == (1, 2, 0, 0)
    assert finished.counts("superpoints") == (0, 3, 0, 0)
    after = PseudoLabels.open(run / "round_00" / "pseudo_labels" / SCENE)
    wanted = {entry["region"]: entry["owner"] for entry in said(run)}
    assert wanted[first[0]] == first[1] != before[first[0]]
    for region, owner in wanted.items():
        assert owners(run)[region] == owner
        assert after.source[region] == LabelSource.HUMAN
        assert after.uncertainty[region] == 0
    assert {entry["reviewer"] for entry in said(run)} == {"Ada"}


_PIXEL = """([x, y]) => {
  const { gl, canvas, pictures } = review.view;
  const found = new Uint8Array(4);
  gl.bindFramebuffer(gl.READ_FRAMEBUFFER, pictures[0].frame);
  gl.readBuffer(gl.COLOR_ATTACHMENT0);
  gl.readPixels(x, canvas.height - y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, found);
  return [...found];
}"""


def spot_of_an_object(page: Page) -> tuple[int, int, int]:
    """A place of the view where an object is, and its region: x, y, region."""
    width, height = page.evaluate("[review.view.canvas.clientWidth, review.view.canvas.clientHeight]")
    for x in range(200, int(width), 20):
        for y in range(150, int(height), 20):
            region = page.evaluate("([x, y]) => review.view.pick(x, y)", [x, y])
            if region >= 0 and page.evaluate("(region) => review.ownerOf(region)", region) >= 0:
                return x, y, region
    pytest.fail("there is no object in view")


def test_a_click_into_the_view(run: Path, page: Page) -> None:
    complaints = complaints_of(page)
    with reviewing(run) as (_, link):
        opened(page, link)
        page.wait_for_timeout(500)
        x, y, region = spot_of_an_object(page)
        frame = page.locator("#view").bounding_box()
        assert frame is not None
        page.mouse.click(frame["x"] + x, frame["y"] + y)
        expect_text(page, "#title", f"Region {region}")
        assert selected(page) == [region]
        page.keyboard.press("0")
        expect_text(page, "#count", "1 region")
        assert [(entry["region"], entry["owner"]) for entry in said(run)] == [(region, -1)]
        assert selected(page) == [region]  # whoever clicks chooses the next one, too
        page.keyboard.press("Escape")
        expect_text(page, "#title", "No region selected")
        page.wait_for_timeout(300)
        red, green, blue, _ = page.evaluate(_PIXEL, [x, y])
        assert max(red, green, blue) - min(red, green, blue) < 30  # grey, as background is
    assert complaints == []


def test_every_key_and_colouring(run: Path, page: Page) -> None:
    complaints = complaints_of(page)
    with reviewing(run) as (_, link):
        opened(page, link)
        pictures = []
        for _ in range(5):
            page.keyboard.press("c")
            page.wait_for_timeout(400)
            pictures.append(page.locator("#view").screenshot())
        assert len(set(pictures)) == 5
        for key in ("n", "n", "p", "g", "f", "h", "d", "x", "d", "x", "Escape"):
            page.keyboard.press(key)
            page.wait_for_timeout(100)
        page.keyboard.press("?")
        expect_text(page, "#keys", "undo the last correction")
        page.keyboard.press("1")
        page.keyboard.press("Escape")
        expect_text(page, "#count", "none yet")
    assert complaints == []


def test_two_tabs(run: Path, page: Page) -> None:
    with reviewing(run) as (_, link):
        opened(page, link)
        other = page.context.new_page()
        opened(other, link.partition("?")[0])
        for tab in (page, other):
            tab.keyboard.press("n")
            expect_text(tab, "#title", "Region")
        region, owner = give_to_another(page)
        expect_text(page, "#count", "1 region")
        assert selected(other) == [region]
        other.keyboard.press("Enter")
        expect_text(other, "#message", "correct")  # either told by the refusal or by the look at the file before
        expect_text(other, "#count", "1 region")
        assert [entry["owner"] for entry in said(run)][:1] == [owner]


def test_a_wrong_token(run: Path, page: Page) -> None:
    with reviewing(run) as (_, link):
        answer = page.goto(link[:-3] + "xyz")
        assert answer is not None
        assert answer.status == 401
        assert "open the link that its terminal shows" in page.content()


def test_a_locked_scene(run: Path, page: Page) -> None:
    (run / "corrections").mkdir()
    file = run / "corrections" / f"{SCENE}.json"
    file.write_text("{")
    with reviewing(run) as (_, link):
        page.goto(link)
        expect_text(page, "#message", f"{file} is corrupt")
        expect_text(page, "#waiting", "cannot be reviewed now")
        page.keyboard.press("n")
        page.locator("#scenes").select_option("room_0001")
        expect_text(page, "#shown", "points")
        expect_hidden(page, "#banner")
        file.unlink()
        page.locator("#scenes").select_option(SCENE)
        expect_text(page, "#shown", "points")
    assert not file.exists()


def test_labels_that_are_made_anew_meanwhile(run: Path, page: Page) -> None:
    with reviewing(run) as (_, link):
        opened(page, link)
        page.keyboard.press("n")
        expect_text(page, "#title", "Region")
        give_to_another(page)
        expect_text(page, "#pending", "1 region is not yet in the labels")
        completed(*shlex.split(page.locator("#command").inner_text())[1:], cwd=run.parent)
        expect_text(page, "#message", "made anew")
        page.locator("#remedy").click()
        expect_hidden(page, "#pending")
        expect_text(page, "#count", "1 region")


def test_odd_scenes(tmp_path: Path, page: Page) -> None:
    run = tmp_path / "odd"
    add_scene(run, one_point(), np.zeros(1, np.int32), np.array([-1]))
    complaints = complaints_of(page)
    with reviewing(run) as (_, link):
        opened(page, link)
        expect_text(page, "#progress", "no doubtful region in this scene")
        expect_text(page, "#place", "empty: no region is in doubt")
        assert page.locator("#next").is_disabled()
    assert complaints == []
