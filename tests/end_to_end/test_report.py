"""The real command writes reports of runs that are finished, unfinished, damaged, or without truth."""

import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.command import ROOMS, boxgp, completed
from tests.stages.scenery import two_objects


def scripts(page: str) -> dict[str, Any]:
    """The data of a page by the id of its script."""
    found = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', page, re.DOTALL)
    return {name: json.loads(content) for name, content in found}


@pytest.fixture
def run(undisturbed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(undisturbed, tmp_path / "rooms"))


def test_a_report_of_a_finished_run(run: Path, tmp_path: Path) -> None:
    ended = completed("report", "rooms", cwd=tmp_path)
    assert ended.out.startswith("rooms/report.html: ")
    assert "3 scenes, 4,500 of 4,500 points" in ended.out
    page = (run / "report.html").read_text(encoding="utf-8")
    data = scripts(page)
    assert data["report"]["scenes"] == ["room_0000", "room_0001", "room_0002"]
    assert {"chart-iou", "chart-reliability", "chart-review", "chart-seconds"} <= {
        chart["id"] for chart in data["report"]["charts"]
    }
    ap = json.loads((run / "round_00" / "summary" / "summary.json").read_text())["truth"]["labels"]["quality"]["ap"]
    assert f"<b>{ap:.3f}</b><span>label AP</span>" in page
    assert "<td>scenes.points</td><td>1500</td><td>50000</td>" in page
    assert not list(run.glob(".*"))
    assert len(page) < 8e6


def test_nothing_of_this_machine_is_on_the_page(run: Path, tmp_path: Path) -> None:
    for manifest in run.rglob("manifest.json"):
        manifest.write_text(re.sub(r'"host": ".*"', '"host": "host-of-mine"', manifest.read_text()))
    completed("report", run.absolute(), "--to", "page.html", cwd=tmp_path)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for private in (str(tmp_path), f"{Path.home()}/", "host-of-mine"):
        assert private not in page


def test_the_same_run_gives_the_same_page(run: Path, tmp_path: Path) -> None:
    completed("report", "rooms", "--to", "one.html", cwd=tmp_path)
    completed("report", "rooms", "--to", "other.html", cwd=tmp_path)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "other.html").read_bytes()


def test_a_report_of_some_scenes(run: Path, tmp_path: Path) -> None:
    completed("report", "rooms", "--scenes", "room_0002", "--to", "some.html", cwd=tmp_path)
    page = (tmp_path / "some.html").read_text(encoding="utf-8")
    assert scripts(page)["report"]["scenes"] == ["room_0002"]
    assert "1 labelled scene out of 3" in page


def test_a_damaged_scene_is_named_and_the_others_are_shown(run: Path, tmp_path: Path) -> None:
    store = run / "round_00" / "pseudo_labels" / "room_0001" / "data.zarr.zip"
    content = bytearray(store.read_bytes())
    content[200:400] = bytes(200)
    store.write_bytes(content)
    ended = boxgp("report", "rooms", cwd=tmp_path)
    assert ended.code == 1
    assert "room_0001" in ended.out
    page = (run / "report.html").read_text(encoding="utf-8")
    assert scripts(page)["report"]["scenes"] == ["room_0000", "room_0002"]
    assert "1 scene with problems" in page
    assert str(tmp_path) not in page


def test_a_run_that_is_not_finished(run: Path, tmp_path: Path) -> None:
    for stage in ("evaluation", "summary"):
        shutil.rmtree(run / "round_00" / stage)
    shutil.rmtree(run / "round_00" / "pseudo_labels" / "room_0000")
    completed("report", "rooms", cwd=tmp_path)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Unfinished: 1 scene without labels" in page
    assert scripts(page)["report"]["scenes"] == ["room_0001", "room_0002"]
    shutil.rmtree(run / "round_00" / "pseudo_labels")
    ended = boxgp("report", "rooms", cwd=tmp_path)
    assert ended.code == 2
    assert "has no labels yet" in ended.err


def test_an_evaluation_of_earlier_labels_counts_as_none(run: Path, tmp_path: Path) -> None:
    manifest = run / "round_00" / "evaluation" / "room_0001" / "manifest.json"
    manifest.write_text(re.sub(r'("pseudo_labels": )"\w+"', r'\1"earlier"', manifest.read_text()))
    completed("report", "rooms", cwd=tmp_path)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert all(one["iou"] is None for one in scripts(page)["scene-1"]["objects"])
    assert "the figures below leave them out: 1 scene" in page


def test_scans_without_truth_colors_and_classes_and_one_that_failed(tmp_path: Path) -> None:
    scene = two_objects(points=600)
    (tmp_path / "scans").mkdir()
    np.savez(tmp_path / "scans" / "bare.npz", xyz=scene.xyz, boxes=scene.boxes.corners)
    (tmp_path / "scans" / "broken.npz").write_bytes(b"nonsense")
    boxgp("run", "folder", "--set", "scenes.path=scans", "--output", "out", cwd=tmp_path)
    completed("report", "out", cwd=tmp_path)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    data = scripts(page)
    assert {name for name, _, _ in data["scene-0"]["arrays"]}.isdisjoint({"truth", "red"})
    assert data["scene-0"]["objects"][0]["name"].startswith("object #")
    assert "no ground truth" in page
    assert "chart-review" not in page
    assert "broken.npz: not a readable .npz file" in html.unescape(page)
    assert "under their own terms" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("missing",), "missing is no folder of a run"),
        (("rooms", "--round", "3"), "there are those of round 0"),
        (("rooms", "--scenes", "room_0009"), "did you mean"),
        (("rooms", "--to", "."), "that is a folder"),
    ],
)
def test_what_cannot_be_is_refused(line: tuple[str, ...], words: str, run: Path, tmp_path: Path) -> None:
    ended = boxgp("report", *line, cwd=tmp_path)
    assert ended.code == 2
    assert words in ended.err


@pytest.mark.slow
def test_rounds_are_compared(tmp_path: Path) -> None:
    training = ("training.steps=2", "training.options.widths=[4, 8]", "training.options.width=8", "splits.val=[]")
    changes = [word for change in training for word in ("--set", change)]
    line = ("selftrain_demo", *ROOMS[1:], *changes, "--set", "training.options.layers=1", "--set", "scenes.count=1")
    completed("run", *line, "--output", "two", cwd=tmp_path)
    completed("report", "two", cwd=tmp_path)
    page = (tmp_path / "two" / "report.html").read_text(encoding="utf-8")
    assert "<caption>Rounds</caption>" in page
    assert "Predictions of the network" in page
    completed("report", "two", "--round", "0", "--to", "first.html", cwd=tmp_path)
    assert "<caption>Rounds</caption>" not in (tmp_path / "first.html").read_text(encoding="utf-8")
