import json
from pathlib import Path

import pytest

from stages.summary.costs import StageCost, costs, missing_scenes


def manifest(folder: Path, stage: str, seconds: object, memory: object = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {"stage": stage, "seconds": seconds, "peak_memory_bytes": memory}
    (folder / "manifest.json").write_text(json.dumps(content))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for scene, seconds in (("a", 1.0), ("b", 3.0), ("left", 50.0)):
        manifest(tmp_path / "scenes" / scene, "scenes", seconds, int(seconds * 10))
        manifest(tmp_path / "round_00" / "evaluation" / scene, "evaluation", 2 * seconds)
    manifest(tmp_path / "round_01" / "evaluation" / "a", "evaluation", 1000.0)
    manifest(tmp_path / "round_00" / "training", "training", 60.0, 5)
    manifest(tmp_path / "round_00" / "summary", "summary", 9.0)
    manifest(tmp_path / "scenes" / ".c@host@1@x", "scenes", 99.0)
    return tmp_path


def test_costs_are_those_of_this_round_and_these_scenes(run: Path) -> None:
    found = costs(run / "round_00" / "evaluation" / "a", {"a", "b"})
    assert found == [
        StageCost("scenes", 2, 2.0, 3.0, 4.0, 30),
        StageCost("evaluation", 2, 4.0, 6.0, 8.0, 0),
        StageCost("training", 1, 60.0, 60.0, 60.0, 5),
    ]


def test_manifests_that_say_nothing_are_left_out(run: Path) -> None:
    (run / "scenes" / "a" / "manifest.json").write_text('{"stage": "sce')
    manifest(run / "scenes" / "b", "scenes", None)
    found = costs(run / "round_00" / "evaluation" / "a", {"a", "b"})
    assert [cost.stage for cost in found] == ["evaluation", "training"]


def test_scenes_without_an_evaluation_are_named(run: Path) -> None:
    assert missing_scenes(run / "round_00" / "evaluation" / "a", {"a"}) == ["b", "left"]
