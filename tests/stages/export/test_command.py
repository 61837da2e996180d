"""What `boxgp export` says of folders that hold several runs."""

from __future__ import annotations

from pathlib import Path

from stages.export.base import SceneFacts
from stages.export.command import disagreement


def facts(scene: str, classes: dict[str, str]) -> SceneFacts:
    return SceneFacts(scene, "train", {"classes": classes})


def test_scenes_of_one_numbering_agree() -> None:
    scenes = [facts("a", {"2": "chair"}), facts("b", {"2": "chair", "3": "lamp"}), SceneFacts("c", "val", {})]
    assert disagreement(Path("out"), scenes) is None


def test_one_number_for_two_classes_is_told_with_both_scenes() -> None:
    said = disagreement(Path("out/mask3d"), [facts("a", {"2": "chair"}), facts("b", {"2": "lamp"})])
    assert said is not None
    assert said.startswith("out/mask3d: class 2 is chair in scene a, and lamp in scene b")
    assert "export one of the runs to another folder" in said
