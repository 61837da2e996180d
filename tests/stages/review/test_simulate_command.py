"""What ``boxgp evaluate --simulate-review`` prints and refuses."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import ConfigurationError, InputError, StoreError
from pipeline.results import RunResults
from pipeline.store import commit
from stages.pseudo_labels.store import labels_result
from stages.review.simulate_command import curve_of_run, evaluate
from stages.stores import scene_result
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

WRONG = np.array([0, -1, 1, 1, 2, 2, -1, -1])
"""half of the first cube is lost"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with one scene, in which two regions are contested and one of them is wrong."""
    (tmp_path / "config.yaml").write_text("")
    scene, superpoint = row_of_cubes()
    contested = np.isin(np.arange(8), [1, 2]).astype(np.uint8)
    labels = labels_of(scene, superpoint, WRONG, confidence=0.5, contested=contested)
    probability = labels.probability.copy()
    probability[0, 1] = 0.4  # the half that is lost, which may well be the first cube's
    labels = replace(labels, probability=probability)
    commit(tmp_path / "scenes" / "row", scene_result(scene), {"fingerprint": "s"})
    commit(tmp_path / "round_00" / "pseudo_labels" / "row", labels_result(labels), {"fingerprint": "l"})
    return tmp_path


def asked(run: Path, counts: str, *, as_json: bool = False) -> argparse.Namespace:
    return argparse.Namespace(run=str(run), simulate_review=counts, json=as_json, round=None)


def test_the_table(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(asked(run, "9, 1,1"), ()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 scene with truth, 3 objects, 2 contested regions; the truth replaces K of them in each scene"
    mean_iou = lines[lines.index(next(line for line in lines if "K (mean IoU)" in line)) :]
    rows = {line.split()[0]: line.split()[1:] for line in mean_iou[1:5]}
    assert list(rows) == ["0", "1", "9", "all"]
    assert rows["0"] == ["0", *["0.8333"] * 4]
    # both are equally uncertain, and the first of them is the wrong one; it is also a larger share of its object
    assert rows["1"][:5] == ["1", "1.0000", "+0.1667", "1.0000", "+0.1667"]
    assert rows["9"][-2:] == rows["all"][-2:] == ["1.0000", "+0.1667"]


def test_as_json(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(asked(run, "1", as_json=True), ()) == 0
    curve = json.loads(capsys.readouterr().out)
    assert (curve["scenes"], curve["objects"], curve["contested"], curve["seeds"]) == (1, 3, 2, 20)
    assert curve["before"]["mean_iou"] == pytest.approx(5 / 6)
    (step,) = curve["steps"]
    assert (step["count"], step["regions"], step["most_uncertain"]["ap"]) == (1, 1, 1.0)


@pytest.mark.parametrize("text", ["", "0", "5,", "-1", "1.5", "all"])
def test_what_is_no_number_is_refused(run: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="give numbers of regions from 1 on"):
        evaluate(asked(run, text), ())


@pytest.mark.parametrize("known", [False, True])
def test_without_truth_there_is_no_curve(run: Path, known: bool) -> None:
    scene, _ = row_of_cubes()
    assert scene.instance is not None
    without = replace(scene, instance=np.full_like(scene.instance, -1) if known else None)
    commit(run / "scenes" / "row", scene_result(without), {"fingerprint": "s2"})
    assert curve_of_run(RunResults(run, 0), [1]) is None
    with pytest.raises(InputError, match="no scan has ground-truth instances"):
        evaluate(asked(run, "1"), ())


def test_labels_of_another_scan_are_refused(run: Path) -> None:
    scene, _ = row_of_cubes(points=100)
    commit(run / "scenes" / "row", scene_result(scene), {"fingerprint": "s2"})
    with pytest.raises(StoreError, match="pseudo_labels/row has 800 points, the scan 400: finish with boxgp run"):
        curve_of_run(RunResults(run, 0), [1])
