"""The server of the review page: what it shows, what it saves, and when it changes nothing."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.review.corrections import UNTOUCHED, corrections_file
from tests.stages.evaluation.labelled import row_of_cubes
from tests.stages.review.small_run import OWNER, SCENE, Page, add_scene, one_point, relabel, small_run, unpacked


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one scene of eight regions."""
    return small_run(tmp_path / "run one")


@pytest.fixture
def page(run: Path) -> Page:
    """A page that was let in."""
    return Page(run, reviewer="Ada")


def saved(run: Path) -> list[dict[str, Any]]:
    return list(json.loads(corrections_file(run, SCENE).read_text())["entries"])


def test_what_the_page_gets(page: Page) -> None:
    whole = page.get("/api/run", 200)
    assert (whole["run"], whole["round"]) == ("run one", 0)
    assert whole["scenes"] == [{"scene": SCENE, "contested": 8, "corrected": 0, "problem": None}]
    facts = page.get(f"/api/scenes/{SCENE}", 200)
    assert (facts["points"], facts["shown"], facts["thinned"], facts["has_colors"]) == (800, 800, False, False)
    assert (len(facts["boxes"]), facts["box_class"], facts["classes"]) == (3, [0, 1, 0], ["chair", "table"])
    regions = unpacked(page.get(f"/api/scenes/{SCENE}/regions").data)
    np.testing.assert_array_equal(regions["owner"], OWNER)
    np.testing.assert_array_equal(regions["points"], np.full(8, 100))
    np.testing.assert_allclose(regions["gain"], [0.25, 0, 0.125, 0.125, 0.125, 0.125, 0, 0])
    np.testing.assert_array_equal(regions["queue"], [0, 2, 3, 4, 5])  # of the others, background is certain
    np.testing.assert_allclose(regions["uncertainty"], 0.25)
    points = unpacked(page.get(f"/api/scenes/{SCENE}/points").data)
    xyz = np.array(points["low"]) + points["xyz"].reshape(-1, 3) / 65535 * points["side"]
    assert sorted(xyz[:, 0]) == pytest.approx(sorted(row_of_cubes()[0].xyz[:, 0]), abs=1e-4)
    assert page.get(f"/api/scenes/{SCENE}/regions/0", 200) == {"owners": [[0, 0.75], [-1, 0.25]]}


def test_the_command_quotes_the_folder(page: Page, run: Path) -> None:
    assert page.get("/api/run", 200)["command"] == f"boxgp run '{run}/config.yaml' --output '{run}'"


def test_a_correction_is_saved_at_once(page: Page, run: Path) -> None:
    state = page.assign([1], 0, seen=0)
    assert (state["seen"], state["corrected"], state["pending"]) == (1, [[1, 0]], 1)
    (entry,) = saved(run)
    assert (entry["region"], entry["owner"], entry["reviewer"]) == (1, 0, "Ada")
    assert datetime.fromisoformat(entry["when"]).tzinfo is not None
    assert Page(run).state()["corrected"] == [[1, 0]]
    assert page.get("/api/run", 200)["scenes"][0]["corrected"] == 1


def test_several_regions_are_one_step(page: Page) -> None:
    state = page.assign([6, 7, 6], -1, seen=0)
    assert [step["regions"] for step in state["steps"]] == [[6, 7]]
    assert page.undo(0, seen=2)["corrected"] == []


def test_saying_the_same_again_adds_nothing(page: Page) -> None:
    page.assign([1], 0, seen=0)
    assert page.assign([1], 0, seen=1)["seen"] == 1


def test_confirming_the_present_owner_counts(page: Page) -> None:
    assert page.assign([0], 0, seen=0)["pending"] == 1


def test_steps_are_taken_back_down_to_the_first(page: Page, run: Path) -> None:
    page.assign([1], 0, seen=0)
    page.assign([1], 2, seen=1)
    state = page.assign([4], -1, seen=2)
    assert [step["first"] for step in state["steps"]] == [0, 1, 2]
    state = page.undo(2, seen=3)
    assert state["corrected"] == [[1, 2]]
    state = page.undo(1, seen=4)
    assert state["corrected"] == [[1, 0]]
    state = page.undo(0, seen=state["seen"])
    assert (state["corrected"], state["steps"], state["pending"]) == ([], [], 0)
    assert [entry["owner"] for entry in saved(run)] == [0, 2, -1, UNTOUCHED, UNTOUCHED, 0, UNTOUCHED]


def test_what_was_decided_anew_stays(page: Page) -> None:
    page.assign([1, 2], 0, seen=0)
    page.assign([2], 1, seen=2)
    state = page.undo(0, seen=3)
    assert (state["decided_later"], state["corrected"]) == (1, [[2, 1]])


def test_a_step_is_taken_back_once(page: Page) -> None:
    page.assign([1], 0, seen=0)
    page.undo(0, seen=1)
    assert "taken back already" in page.undo(0, seen=2, status=400)["message"]


def test_two_tabs_lose_nothing(page: Page, run: Path) -> None:
    other = Page(run, reviewer="Bob")
    page.assign([1], 0, seen=0)
    refused = other.assign([1], 2, seen=0, status=409)
    assert refused["kind"] == "conflict"
    assert "not saved" in refused["message"]
    assert other.undo(0, seen=0, status=409)["kind"] == "conflict"
    assert [entry["owner"] for entry in saved(run)] == [0]
    assert other.assign([1], 2, seen=other.state()["seen"])["corrected"] == [[1, 2]]


def test_regions_that_were_computed_anew_are_refused(page: Page, run: Path) -> None:
    page.state()
    scene, superpoint = row_of_cubes()
    add_scene(run, scene, superpoint, OWNER, mark=" anew")
    refused = page.assign([1], 0, seen=0, status=409)
    assert refused["kind"] == "replaced"
    assert not corrections_file(run, SCENE).exists()
    answer = page.get(f"/api/scenes/{SCENE}/points", 409, headers={"X-Superpoints": "regions"})
    assert answer["kind"] == "replaced"
    assert page.assign([1], 0, seen=0, superpoints="regions anew")["seen"] == 1


def test_labels_that_were_made_anew_show_in_the_state(page: Page, run: Path) -> None:
    page.assign([1], 0, seen=0)
    assert page.state()["pending"] == 1
    relabel(run, np.array([0, 0, 1, 1, 2, 2, -1, -1]), human=[1])
    state = page.state()
    assert state["fingerprints"] == {"superpoints": "regions", "labels": "labels again"}
    assert state["pending"] == 0
    # taken back after the labels were made: they do not know that yet
    assert page.undo(0, seen=1)["pending"] == 1


@pytest.mark.parametrize("text", ["", "{", '{"format": "boxgp.corrections", "version": 9}', "[]"])
def test_a_corrupt_file_locks_its_scene(page: Page, run: Path, text: str) -> None:
    path = corrections_file(run, SCENE)
    path.parent.mkdir()
    path.write_text(text)
    for answer in (page.state(423), page.assign([1], 0, seen=0, status=423), page.get(f"/api/scenes/{SCENE}", 423)):
        assert answer["kind"] == "store"
        assert str(path) in answer["message"]
        assert "review the scene again" in answer["message"]
    assert path.read_text() == text
    assert str(path) in page.get("/api/run", 200)["scenes"][0]["problem"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"superpoints": "regions"', '"superpoints": "old regions"', "belongs to other regions"),
        ('"region": 1', '"region": 99', "region 99"),
    ],
)
def test_a_stale_file_locks_its_scene(page: Page, run: Path, old: str, new: str, message: str) -> None:
    page.assign([1], 0, seen=0)
    path = corrections_file(run, SCENE)
    text = path.read_text().replace(old, new)
    assert new in text
    path.write_text(text)
    for answer in (page.state(423), page.assign([2], 0, seen=1, status=423)):
        assert message in answer["message"]
        assert "review the scene again" in answer["message"]
    assert path.read_text() == text


def test_what_cannot_be_written_changes_nothing(page: Page, run: Path) -> None:
    (run / "corrections").write_text("a file where a folder is needed")
    refused = page.assign([1], 0, seen=0, status=423)
    assert "cannot be written" in refused["message"]
    (run / "corrections").unlink()
    assert page.assign([1], 0, seen=0)["seen"] == 1


def test_a_run_that_is_still_going(page: Page, run: Path) -> None:
    labels = run / "round_00" / "pseudo_labels" / SCENE
    labels.rename(labels.with_name("aside"))
    assert page.state(400)["kind"] == "request"
    labels.with_name("aside").rename(labels)
    (run / "superpoints" / SCENE / "data.zarr.zip").write_bytes(b"torn")
    assert "wait for its end" in page.state(423)["message"]
    scene, superpoint = row_of_cubes()
    add_scene(run, scene, superpoint, OWNER, mark=" anew")
    manifest = labels / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"superpoints": "regions anew"', '"superpoints": "regions"'))
    assert "made from other regions" in page.state(423)["message"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"regions": [8]}, "regions 0 to 7"),
        ({"regions": [-1]}, "regions 0 to 7"),
        ({"regions": []}, "at least one"),
        ({"regions": ["1"]}, "whole numbers"),
        ({"regions": [True]}, "whole numbers"),
        ({"regions": 1}, "lacks regions"),
        ({"owner": 3}, "no box 3"),
        ({"owner": -2}, "no box -2"),
        ({"owner": None}, "lacks owner"),
        ({"seen": "0"}, "lacks seen"),
    ],
)
def test_what_does_not_exist_is_refused(page: Page, run: Path, values: dict[str, Any], message: str) -> None:
    given = {"regions": [1], "owner": 0, "seen": 0, "superpoints": "regions", **values}
    assert message in page.post(f"/api/scenes/{SCENE}/assign", given, 400)["message"]
    assert not (run / "corrections").exists()


@pytest.mark.parametrize("scene", ["other", "..", "%2e%2e", ".hidden", "row%00", "a b"])
def test_only_scenes_of_the_run_are_opened(page: Page, scene: str) -> None:
    answer = page.get(f"/api/scenes/{scene}/state")
    assert answer.status_code in {400, 404}
    assert answer.json["kind"] == "request"


def test_the_neighbourhood_of_the_selection(run: Path) -> None:
    page = Page(run, most_points=50)
    facts = page.get(f"/api/scenes/{SCENE}", 200)
    assert (facts["shown"], facts["thinned"]) == (50, True)
    shown = unpacked(page.get(f"/api/scenes/{SCENE}/points").data)
    assert set(shown["region"]) == set(range(8))
    answer = page.client.post(
        f"/api/scenes/{SCENE}/around", base_url="http://127.0.0.1:4321", json={"regions": [0]},
        headers={"Origin": "http://127.0.0.1:4321"},
    )  # fmt: skip
    around = unpacked(answer.data)
    assert {region: int((around["region"] == region).sum()) for region in set(around["region"])} == {0: 100, 1: 100}


def test_growing(page: Page) -> None:
    assert page.post(f"/api/scenes/{SCENE}/grow", {"regions": [2]}) == {"regions": [3]}
    assert page.post(f"/api/scenes/{SCENE}/grow", {"regions": [1]}) == {"regions": []}
    assert page.post(f"/api/scenes/{SCENE}/grow", {"regions": [1, 2]}) == {"regions": [3]}


def test_a_scene_of_one_point_without_boxes(run: Path) -> None:
    add_scene(run, one_point(), np.zeros(1, np.int32), np.array([-1]))
    page = Page(run)
    facts = page.get("/api/scenes/dot", 200)
    assert (facts["boxes"], facts["classes"], facts["shown"]) == ([], [], 1)
    assert page.get("/api/scenes/dot/regions/0", 200) == {"owners": [[-1, 1.0]]}
    assert unpacked(page.get("/api/scenes/dot/points").data)["side"] == pytest.approx([1e-6] * 3)
    values = {"regions": [0], "owner": 0, "seen": 0, "superpoints": "regions"}
    assert "it has 0" in page.post("/api/scenes/dot/assign", values, 400)["message"]


def test_what_nobody_expected_is_told(page: Page, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    def broken(scene: str) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(page.desk, "state", broken)
    assert page.state(500) == {"kind": "broken", "message": "unexpected RuntimeError: a bug"}
    assert capsys.readouterr().err == "boxgp: unexpected RuntimeError: a bug (in /api/scenes/row/state)\n"
