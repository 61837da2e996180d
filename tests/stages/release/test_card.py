"""The card: its front matter, its tables, and the code in it, which is run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from boxgp import PseudoLabels
from pipeline.cli import main
from tests.stages.release.conftest import SCENES

TASKS = {"other", "image-segmentation", "mask-generation", "object-detection", "depth-estimation"}
"""some of Hugging Face's task categories"""
SIZES = {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M"}
CREATORS = {"found", "crowdsourced", "expert-generated", "machine-generated", "no-annotation", "other"}


def parts(folder: Path) -> tuple[dict[str, Any], str]:
    """Front matter and text."""
    _, front, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(front), text


def blocks(text: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_front_matter_is_as_hugging_face_reads_it(released: Path) -> None:
    front, text = parts(released)
    assert front["license"] == "cc-by-4.0"
    assert set(front["task_categories"]) <= TASKS
    assert set(front["annotations_creators"]) <= CREATORS
    assert set(front["size_categories"]) <= SIZES
    assert front["pretty_name"] == "small: instance labels from boxes"
    assert all(isinstance(tag, str) for tag in front["tags"])
    assert [one["config_name"] for one in front["configs"]] == ["scenes", "quality"]
    assert all((released / one["data_files"]).is_file() for one in front["configs"])
    assert text.startswith("\n# small: instance labels from boxes\n")


def test_the_code_in_it_runs(released: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(released)
    ours, alone = blocks(parts(released)[1])
    wanted = PseudoLabels.open(run / "round_00" / "pseudo_labels" / SCENES[0])
    found: dict[str, Any] = {}
    exec(ours, found)
    np.testing.assert_array_equal(found["mask"], wanted.at_points("mask"))
    np.testing.assert_array_equal(found["mean"], wanted.at_points("mean"))
    assert found["names"] == [wanted.class_names[index] for index in wanted.boxes.class_index]
    found = {}
    exec(alone, found)
    np.testing.assert_array_equal(found["mask"], wanted.at_points("mask"))
    found["group"].store.close()


def test_it_says_what_is_in_it_and_what_is_not(released: Path) -> None:
    _, text = parts(released)
    assert "2 scenes, 3,000 points" in text
    assert "Splits (column of `scenes.csv`): train 1." in text
    assert "**The scans are not part of this release**" in text
    named = set(re.findall(r"^\| `([a-zA-Z0-9_.]+)`", text, re.MULTILINE)) | {"recipe.yaml"}
    there = {path.name for path in released.iterdir() if path.is_file()}
    assert named | {"README.md"} == there


def test_its_figures_are_those_of_the_summary(released: Path, run: Path) -> None:
    summary = json.loads((run / "round_00" / "summary" / "summary.json").read_text())["truth"]["labels"]["quality"]
    (row,) = re.findall(r"^\| \(all\) \| (.*) \|$", parts(released)[1], re.MULTILINE)
    objects, ap, ap50, ap25, ap90, mean_iou, *_ = row.split(" | ")
    assert int(objects) == summary["objects"]
    figures = [summary[name] for name in ("ap", "ap50", "ap25", "ap90", "mean_iou")]
    assert [ap, ap50, ap25, ap90, mean_iou] == [f"{one:.3f}" for one in figures]
    assert json.loads((released / "quality.json").read_text())["figures"]["truth"]["labels"]["quality"] == summary


def test_without_ground_truth_it_says_so(run: Path, tmp_path: Path) -> None:
    for scene in SCENES:
        (run / "round_00" / "evaluation" / scene / "manifest.json").unlink()
    to = tmp_path / "to"
    assert main(["release", str(run), "--to", str(to)]) == 0
    front, text = parts(to)
    assert front["license"] == "unknown"
    assert len(front["configs"]) == 1
    assert "## Quality\n\nNot known" in text
    assert not (to / "quality.csv").exists()
    assert json.loads((to / "quality.json").read_text())["known"] is False


def test_evaluations_of_other_labels_do_not_count(run: Path, tmp_path: Path) -> None:
    path = run / "round_00" / "evaluation" / SCENES[0] / "manifest.json"
    labels = json.loads(path.read_text())["inputs"]["pseudo_labels"]
    path.write_text(path.read_text().replace(labels, "0" * 64))
    assert main(["release", str(run), "--to", str(tmp_path / "to")]) == 0
    assert "Against the ground truth of 1 scene of 2" in parts(tmp_path / "to")[1]


def test_with_scans_it_says_how_to_use_them(run: Path, tmp_path: Path) -> None:
    to = tmp_path / "to"
    assert main(["release", str(run), "--to", str(to), "--license-allows", "--license", "Lab terms"]) == 0
    front, text = parts(to)
    assert (front["license"], front["license_name"]) == ("other", "lab-terms")
    assert "`boxgp run folder --set scenes.path=scans/`" in text
    assert "not part of this release" not in text
    assert sorted(path.name for path in (to / "scans").iterdir()) == [f"{scene}.npz" for scene in SCENES]
