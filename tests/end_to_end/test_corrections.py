"""Corrections in the folder of a run: only their scene runs again, its labels obey, and undoing leaves no trace."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from boxgp import PseudoLabels
from pipeline.store import read_manifest
from stages.review.corrections import (
    BACKGROUND,
    Correction,
    Corrections,
    corrections_file,
    read_corrections,
    write_corrections,
)
from tests.end_to_end.command import ROOMS, boxgp, checksums, completed, differences, modified

LINE = ("run", *ROOMS, "--output", "out")
NOW = "2026-01-02T03:04:05+00:00"
SCENE = "room_0001"


@pytest.fixture
def run(undisturbed: Path, tmp_path: Path) -> Path:
    """A complete run of one's own; its command is ``LINE`` in ``tmp_path``."""
    return Path(shutil.copytree(undisturbed, tmp_path / "out"))


def labels_of(run: Path) -> PseudoLabels:
    return PseudoLabels.open(run / "round_00" / "pseudo_labels" / SCENE)


def correct(run: Path, said: dict[int, int], superpoints: str | None = None) -> Path:
    """Writes what people said of regions of ``SCENE``."""
    now = str(read_manifest(run / "superpoints" / SCENE)["fingerprint"])
    entries = tuple(Correction(region, owner, NOW, "Ada") for region, owner in said.items())
    path = corrections_file(run, SCENE)
    write_corrections(path, Corrections(SCENE, superpoints or now, entries), expected=0)
    return path


def test_a_scene_obeys_and_forgets(undisturbed: Path, run: Path, tmp_path: Path) -> None:
    before, files = labels_of(run), modified(run)
    outside = np.flatnonzero(~before.mask.any(axis=0))
    doubtful = np.argsort(-before.uncertainty)
    said = {int(doubtful[0]): BACKGROUND, int(doubtful[1]): 1, int(outside[0]): 0}
    path = correct(run, said)
    ended = completed(*LINE, cwd=tmp_path)
    for stage, counts in {"features": (0, 3, 0, 0), "posteriors": (1, 2, 0, 0), "summary": (1, 0, 0, 0)}.items():
        assert ended.counts(stage) == counts
    written = {file for file, moment in modified(run).items() if files.get(file) != moment}
    later = ("posteriors", "pseudo_labels", "evaluation")
    assert {str(Path(file).parent) for file in written} == {
        *(f"round_00/{stage}/{SCENE}" for stage in later),
        "round_00/summary",
    }
    labels = labels_of(run)
    for region, owner in said.items():
        assert labels.mask[:, region].tolist() == [box == owner for box in range(len(labels.mask))]
    assert (labels.source == 7).nonzero()[0].tolist() == sorted(said)
    assert not labels.uncertainty[list(said)].any()
    assert read_manifest(run / "round_00" / "pseudo_labels" / SCENE)["statistics"]["regions_by_source/human"] == 3
    assert completed(*LINE, cwd=tmp_path).counts("posteriors") == (0, 3, 0, 0)
    changed = checksums(run)
    present = read_corrections(path)
    write_corrections(path, Corrections(SCENE, present.superpoints), expected=3)
    assert completed(*LINE, cwd=tmp_path).counts("posteriors") == (1, 2, 0, 0)
    assert differences(run, undisturbed) == []
    write_corrections(path, present, expected=0)
    completed(*LINE, cwd=tmp_path)
    assert checksums(run) == changed


@pytest.mark.slow
def test_the_saved_configuration_does_as_well(run: Path, tmp_path: Path) -> None:
    correct(run, {0: BACKGROUND})
    (tmp_path / "elsewhere").mkdir()
    ended = completed("run", run / "config.yaml", "--output", run, cwd=tmp_path / "elsewhere")
    assert ended.counts("posteriors") == (1, 2, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["stale", "corrupt"])
def test_wrong_corrections_end_their_scene_alone(what: str, undisturbed: Path, run: Path, tmp_path: Path) -> None:
    path = correct(run, {0: BACKGROUND}, superpoints="0" * 64 if what == "stale" else None)
    if what == "corrupt":
        path.write_text('{"format": "boxgp.corr')
    content = path.read_bytes()
    ended = boxgp(*LINE, cwd=tmp_path)
    assert ended.code == 1
    assert ended.counts("posteriors") == (0, 2, 1, 0)
    assert ended.counts("pseudo_labels") == (0, 2, 0, 1)
    failures = completed("failures", "out", cwd=tmp_path).out
    assert "out/corrections/room_0001.json" in failures.replace("\n", "")
    assert path.read_bytes() == content
    path.unlink()
    completed(*LINE, cwd=tmp_path)
    assert differences(run, undisturbed) == []


def test_review_that_the_truth_makes(undisturbed: Path, tmp_path: Path) -> None:
    said = completed("evaluate", undisturbed, "--simulate-review", "1,20", cwd=tmp_path).out
    assert said.startswith("3 scenes with truth")
    curve = json.loads(completed("evaluate", undisturbed, "--simulate-review", "20", "--json", cwd=tmp_path).out)
    summary = json.loads((undisturbed / "round_00" / "summary" / "summary.json").read_text())
    quality = summary["truth"]["labels"]["quality"]
    assert curve["before"] == pytest.approx({"ap": quality["ap"], "mean_iou": quality["mean_iou"]})
    (step,) = curve["steps"]
    assert step["most_uncertain"]["mean_iou"] > step["random"]["mean_iou"] > curve["before"]["mean_iou"]
    refused = boxgp("evaluate", undisturbed, "--simulate-review", "many", cwd=tmp_path)
    assert (refused.code, "from 1 on" in refused.err) == (2, True)


@pytest.mark.real
@pytest.mark.timeout(900)
def test_review_of_doubtful_regions_pays_on_real_scans(real_scans: Path, tmp_path: Path) -> None:
    scenes = sorted(file.stem for file in real_scans.glob("scene*.npz") if not file.stem.endswith("_full"))
    source = ("--set", f"scenes.path={real_scans}", "--scenes", ",".join(scenes))
    completed("run", "folder", *source, "--stage", "..pseudo_labels", "--output", "out", cwd=tmp_path)
    curve = json.loads(completed("evaluate", "out", "--simulate-review", "1,2,5,10,20,50", "--json", cwd=tmp_path).out)
    assert len(curve["steps"]) == 6
    for step in curve["steps"]:
        # a handful of regions moves no object across a threshold of AP, but closer to its truth
        assert step["most_uncertain"]["mean_iou"] > step["random"]["mean_iou"] > step["least_uncertain"]["mean_iou"]
        assert step["largest_gain"]["mean_iou"] > step["most_uncertain"]["mean_iou"]
        if step["count"] >= 5:
            assert step["largest_gain"]["ap"] > step["random"]["ap"] + step["random_deviation"]["ap"]
        if step["count"] >= 10:
            for order in ("most_uncertain", "largest_gain"):
                assert step[order]["ap"] > step["random"]["ap"] + step["random_deviation"]["ap"]
