"""A real Chromium opens reports from disk: what is drawn is what the labels say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from boxgp import PseudoLabels
from stages.report.colors import BACKGROUND, SOURCES, owner_colors, region_colors
from stages.stores import read_scene
from stages.structures import LabelSource, Scene
from tests.end_to_end.browser import complaints_of
from tests.end_to_end.command import completed
from tests.stages.scenery import two_objects

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
FIRST = "room_0000"
DRAWN = "document.getElementById('plot').data"
PATIENCE_MS = 120_000


@dataclass(frozen=True)
class Opened:
    """A report in a browser."""

    page: Page
    complaints: list[str]

    def choose(self, control: str, value: str) -> None:
        self.page.select_option(f"#{control}", value)

    def press(self, *keys: str) -> None:
        self.page.evaluate("document.activeElement.blur()")
        for key in keys:
            self.page.keyboard.press(key)

    def points(self) -> int:
        return int(self.page.evaluate(f"{DRAWN}[0].x.length"))

    def wait_for_points(self, count: int) -> None:
        """Until so many points are drawn; says how many there are instead."""
        try:
            self.page.wait_for_function(f"count => {DRAWN}[0].x.length === count", arg=count, timeout=20_000)
        except Exception:
            assert self.points() == count
            raise

    def colors(self) -> list[Any]:
        found: list[Any] = self.page.evaluate(f"{DRAWN}[0].marker.color")
        return found

    def corners_of_boxes(self) -> int:
        return int(self.page.evaluate(f"{DRAWN}[1].x.length"))

    def said(self) -> str:
        return self.page.inner_text("#said")


def open_report(browser: Browser, path: Path) -> Opened:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    complaints = complaints_of(page)
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    page.goto(path.absolute().as_uri())
    page.wait_for_function("() => document.getElementById('plot').data && document.querySelector('.chart svg')")
    return Opened(page, complaints)


@pytest.fixture(scope="module")
def opened(browser: Browser, undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    folder = tmp_path_factory.mktemp("report")
    completed("report", undisturbed, "--to", "page.html", cwd=folder)
    opened = open_report(browser, folder / "page.html")
    yield opened
    opened.page.close()


@pytest.fixture
def report(opened: Opened, scene: Scene) -> Opened:
    """The report as it is after opening; fails a test that left complaints."""
    opened.choose("scene", "0")
    opened.page.set_checked("#boxes", True)
    opened.page.set_checked("#contested", False)
    opened.choose("color", "label")
    opened.choose("object", "all")
    opened.wait_for_points(len(scene))
    opened.page.click("button[data-view=corner]")
    assert opened.complaints == []
    return opened


@pytest.fixture(scope="module")
def scene(undisturbed: Path) -> Scene:
    return read_scene(undisturbed / "scenes" / FIRST)


@pytest.fixture(scope="module")
def labels(undisturbed: Path) -> PseudoLabels:
    return PseudoLabels.open(undisturbed / "round_00" / "pseudo_labels" / FIRST)


def css(color: Any) -> str:
    return "rgb({},{},{})".format(*(int(value) for value in color))


def counts(colors: list[str]) -> dict[str, int]:
    return {color: colors.count(color) for color in set(colors)}


def counts_of(colors: np.ndarray) -> dict[str, int]:
    return counts([css(color) for color in colors])


def test_points_and_boxes_lie_where_the_scan_has_them(report: Opened, scene: Scene) -> None:
    drawn = np.array([report.page.evaluate(f"Array.from({DRAWN}[0].{axis})") for axis in "xyz"]).T
    order, expected = np.lexsort(np.round(drawn, 2).T), np.lexsort(np.round(scene.xyz, 2).T)
    assert np.allclose(np.sort(drawn, axis=0), np.sort(scene.xyz, axis=0), atol=2e-4)
    assert len(order) == len(expected) == len(scene)
    x = [value for value in report.page.evaluate(f"{DRAWN}[1].x") if value is not None]
    assert np.isclose(min(x), scene.boxes.corners[:, 0].min(), atol=1e-3)
    assert np.isclose(max(x), scene.boxes.corners[:, 3].max(), atol=1e-3)
    assert "1,500 points drawn" in report.said()


def test_every_coloring_shows_what_the_labels_say(report: Opened, scene: Scene, labels: PseudoLabels) -> None:
    region = labels.superpoint
    owner = np.where(labels.mask.any(axis=0), labels.mask.argmax(axis=0), -1).astype(np.int32)[region]
    assert scene.instance is not None
    place = np.full(scene.instance.max() + 2, -2, np.int32)
    place[-1] = -1
    place[labels.boxes.instance] = np.arange(len(labels.mask))
    expected = {
        "label": owner_colors(owner),
        "truth": owner_colors(place[scene.instance]),
        "source": np.array([SOURCES[LabelSource(value)] for value in labels.source[region]]),
        "superpoint": region_colors(region),
        "rgb": scene.rgb,
    }
    for color, values in expected.items():
        report.choose("color", color)
        assert values is not None
        assert counts(report.colors()) == counts_of(values), color
    report.choose("color", "uncertainty")
    drawn = np.sort(np.array(report.colors(), float))
    assert np.allclose(drawn, np.sort(labels.uncertainty[region]), atol=0.5 / 255 + 1e-6)
    assert report.complaints == []


def test_an_object_can_be_seen_alone(report: Opened, scene: Scene, labels: PseudoLabels) -> None:
    every = report.corners_of_boxes()
    index = int(labels.at_points("mask").sum(axis=1).argmax())
    report.choose("object", str(index))
    report.wait_for_points(int(labels.at_points("mask")[index].sum()))
    assert len(set(report.colors())) == 1
    assert report.corners_of_boxes() * len(labels.mask) == every
    report.choose("color", "truth")
    report.wait_for_points(int((scene.instance == labels.boxes.instance[index]).sum()))
    report.page.click(f"#objects button[value='{index}']")  # again: everything
    report.wait_for_points(len(scene))
    report.page.click(f"#objects button[value='{index}']")
    report.wait_for_points(int((scene.instance == labels.boxes.instance[index]).sum()))
    assert report.page.get_attribute(f"#objects button[value='{index}']", "aria-pressed") == "true"
    assert report.complaints == []


def test_objects_can_be_seen_without_background(report: Opened, labels: PseudoLabels) -> None:
    report.choose("object", "owned")
    report.wait_for_points(int(labels.at_points("mask").sum()))
    assert css(BACKGROUND) not in report.colors()


def test_contested_regions_can_be_seen_alone(report: Opened, labels: PseudoLabels) -> None:
    contested = int((labels.contested[labels.superpoint] > 0).sum())
    assert 0 < contested < len(labels.superpoint)
    report.page.set_checked("#contested", True)
    report.wait_for_points(contested)
    assert f"{contested:,} of the 1,500 points drawn" in report.said()


def test_keys_do_what_the_page_says(report: Opened, labels: PseudoLabels, undisturbed: Path) -> None:
    report.press("3")
    assert report.page.input_value("#color") == "uncertainty"
    report.press("b")
    report.page.wait_for_function(f"() => {DRAWN}[1].x.length === 0")
    report.press("c")
    report.wait_for_points(int((labels.contested[labels.superpoint] > 0).sum()))
    report.press("c", "n")
    report.page.wait_for_function(
        f"() => {DRAWN}[0].x.length === 1500 && document.getElementById('scene').value === '1'"
    )
    second = PseudoLabels.open(undisturbed / "round_00" / "pseudo_labels" / "room_0001")
    listed = "count => document.querySelectorAll('#objects button').length === count"
    report.page.wait_for_function(listed, arg=len(second.mask))
    report.press("p")
    report.wait_for_points(1500)
    report.press("p")
    report.page.wait_for_function("() => document.getElementById('scene').value === '2'")


def test_a_row_of_a_table_leads_to_its_object_each_time(report: Opened) -> None:
    link = report.page.locator("table a[href^='#view/'][href*='/room_']", has_text="#").first
    href = link.get_attribute("href")
    assert href is not None
    _, scene, index = href.removeprefix("#").split("/")
    for _ in range(2):
        link.click()
        report.page.wait_for_function(
            "([scene, index]) => document.getElementById('scene').selectedOptions[0].text === scene"
            " && document.getElementById('object').value === index",
            arg=[scene, index],
        )
        report.press("Escape")
        assert report.page.input_value("#object") == "all"
    assert report.complaints == []


@pytest.mark.parametrize("view", ["corner", "top"])
def test_pointing_at_a_region_tells_its_owner(view: str, report: Opened) -> None:
    page = report.page
    page.click(f"button[data-view={view}]")
    page.evaluate("document.getElementById('plot').scrollIntoView({block: 'center'})")
    box = page.locator("#plot").bounding_box()
    assert box is not None
    for step in range(40):  # until a point lies below the pointer
        page.mouse.move(box["x"] + box["width"] * (0.35 + 0.008 * step), box["y"] + box["height"] * 0.5)
        page.wait_for_timeout(300)
        if page.locator(".hovertext").count():
            break
    said = page.locator(".hovertext").first.text_content(timeout=1000) or ""
    assert "region" in said or "box of" in said
    every = page.evaluate(f"{DRAWN}[0].text[0]")
    assert all(word in every for word in ("region", "owner", "probability", "uncertainty", "decided by", "truth"))
    assert report.complaints == []


def test_the_view_stays_as_it_was_turned(report: Opened) -> None:
    page = report.page

    def eye() -> list[float]:
        camera = page.evaluate("document.getElementById('plot')._fullLayout.scene._scene.getCamera()")
        return [camera["eye"][axis] for axis in "xyz"]

    page.click("button[data-view=side]")
    report.choose("color", "source")
    assert np.allclose(eye(), [1.9, 0, 0.02], atol=0.01)
    box = page.locator("#plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 420, box["y"] + 240, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)
    turned = eye()
    assert not np.allclose(turned, [1.9, 0, 0.02], atol=0.1)
    report.press("c", "c", "b")
    assert np.allclose(eye(), turned, atol=0.01)
    assert report.complaints == []


def test_names_from_data_run_nothing(browser: Browser, tmp_path: Path) -> None:
    scene = two_objects(points=600)
    (tmp_path / "scans").mkdir()
    np.savez(
        tmp_path / "scans" / "bare.npz", xyz=scene.xyz, boxes=scene.boxes.corners, box_class=np.array([0, 1], np.int32)
    )
    (tmp_path / "my.yaml").write_text(
        "base: folder\nscenes:\n  path: scans\n"
        '  classes: ["</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>"]\n'
    )
    completed("run", "my.yaml", "--output", "out", cwd=tmp_path)
    completed("report", "out", cwd=tmp_path)
    report = open_report(browser, tmp_path / "out" / "report.html")
    assert [option.inner_text() for option in report.page.query_selector_all("#color option")] == [
        *("Label", "Uncertainty", "Source: who decided", "Superpoints"),
    ]
    report.choose("object", "1")
    assert report.said().startswith("<img src=x onerror=alert(2)> #1 alone")
    assert "&lt;img" in report.page.evaluate(f"{DRAWN}[1].text[0]")
    report.page.wait_for_timeout(300)
    assert report.complaints == []
    assert report.page.locator("img").count() == 0


@pytest.mark.real
def test_a_real_scan(browser: Browser, real_scans: Path, tmp_path: Path) -> None:
    name = next(iter(sorted(path.stem for path in real_scans.glob("scene*.npz") if "full" not in path.stem)))
    line = ("run", "folder", "--set", f"scenes.path={real_scans}", "--scenes", name, "--output", "out")
    completed(*line, cwd=tmp_path)
    completed("report", "out", cwd=tmp_path)
    report = open_report(browser, tmp_path / "out" / "report.html")
    labels = PseudoLabels.open(tmp_path / "out" / "round_00" / "pseudo_labels" / name)
    assert report.points() == int((labels.superpoint >= 0).sum())
    for color in ("truth", "uncertainty", "source", "superpoint", "rgb"):
        report.choose("color", color)
    report.page.set_checked("#contested", True)
    report.wait_for_points(int((labels.contested[labels.superpoint] > 0).sum()))
    assert "under their own terms" in report.page.inner_text("footer")
    assert report.complaints == []
