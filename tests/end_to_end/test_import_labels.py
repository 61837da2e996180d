"""``boxgp import-labels``: labels of others as a run of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.results import RunResults
from pipeline.store import fingerprint_of
from stages.export.formats.gapro import pseudo_labels
from stages.pseudo_labels.labels import PseudoLabels
from tests.end_to_end.command import boxgp, checksums, completed
from tests.stages.export.labelled import stored

pytestmark = pytest.mark.slow
NETWORK = f"{Path(__file__).parents[2]}/examples/own_network.py:RegionMlp"


def exported(run: Path, to: Path) -> Path:
    """The labels of a run in GaPro's files."""
    to.mkdir()
    for scene in RunResults(run, 0).scenes():
        torch.save(pseudo_labels(stored(run, scene)), to / f"{scene}.pth")
    return to


def masks(run: Path) -> dict[str, np.ndarray]:
    results = RunResults(run, 0)
    return {
        scene: PseudoLabels.open(results.of("pseudo_labels", scene)).at_points("mask") for scene in results.scenes()
    }


def test_what_was_exported_comes_back_and_is_compared(undisturbed: Path, tmp_path: Path) -> None:
    exported(undisturbed, tmp_path / "labels")
    line = ("import-labels", "labels", "--run", undisturbed, "--to", "imported")
    ended = completed(*line, cwd=tmp_path)
    ours, theirs = masks(undisturbed), masks(tmp_path / "imported")
    assert ours.keys() == theirs.keys()
    for scene, mask in ours.items():
        np.testing.assert_array_equal(theirs[scene], mask)
    rows = {line[:24].strip(): line[24:].split() for line in ended.out.splitlines() if line.startswith("label AP")}
    quality = rows["label AP"]
    assert quality[0] == quality[1]
    assert "Same owner at 100.0 % of 4,500 points" in ended.out
    assert not (tmp_path / "imported" / "round_00" / "posteriors").exists()
    # what both have in common is not computed again, nor kept twice
    assert ended.counts("scenes") == ended.counts("superpoints") == (0, 3, 0, 0)
    assert ended.counts("evaluation") == (3, 0, 0, 0)
    store = Path("scenes", "room_0000", "data.zarr.zip")
    assert (undisturbed / store).samefile(tmp_path / "imported" / store)
    # a second time there is nothing to do, wherever the files lie now
    (tmp_path / "labels").rename(tmp_path / "moved")
    again = completed("import-labels", "moved", *line[2:], cwd=tmp_path)
    assert "everything is done already" in again.out
    assert "Same owner at 100.0 %" in again.out


def test_the_run_is_left_alone_and_the_import_repeats(undisturbed: Path, tmp_path: Path) -> None:
    before = checksums(undisturbed)
    exported(undisturbed, tmp_path / "labels")
    for name in ("one", "two"):
        completed("import-labels", "labels", "--run", undisturbed, "--to", name, cwd=tmp_path)
    assert checksums(undisturbed) == before
    assert checksums(tmp_path / "one") == checksums(tmp_path / "two")


def test_scenes_without_files_fail_alone(undisturbed: Path, tmp_path: Path) -> None:
    (exported(undisturbed, tmp_path / "labels") / "room_0001.pth").unlink()
    ended = boxgp("import-labels", "labels", "--run", undisturbed, "--to", "imported", cwd=tmp_path)
    assert ended.code == 1
    assert ended.counts("pseudo_labels") == (2, 0, 1, 0)
    assert "room_0001.pth does not exist: this scene has no labels to import" in ended.out
    assert "(2 scenes)" in ended.out


def test_labels_of_regions_by_their_own_superpoints(undisturbed: Path, tmp_path: Path) -> None:
    exported(undisturbed, tmp_path / "labels")
    (tmp_path / "superpoints").mkdir()
    for scene in RunResults(undisturbed, 0).scenes():
        region = stored(undisturbed, scene).superpoint()
        torch.save(region, tmp_path / "superpoints" / f"{scene}.pth")
        path = tmp_path / "labels" / f"{scene}.pth"
        *of_points, mean, variance = torch.load(path, weights_only=False)
        first = np.unique(region, return_index=True)[1]
        torch.save((*of_points, mean[first], variance[first]), path)
    line = ("import-labels", "labels", "--run", undisturbed, "--to", "imported")
    refused = boxgp(*line, cwd=tmp_path)
    assert refused.code == 1
    assert "(--superpoints)" in " ".join(refused.out.split())
    completed(*line, "--superpoints", "superpoints", cwd=tmp_path)
    theirs = masks(tmp_path / "imported")
    for scene, mask in masks(undisturbed).items():
        np.testing.assert_array_equal(theirs[scene], mask)


@pytest.mark.parametrize(
    ("labels", "to", "message"),
    [
        ("nowhere", "imported", "pseudo_labels.path: {0}/nowhere is no folder"),
        (".", "imported", "did you mean {0}/labels?"),
        ("other", "imported", "{0}/other has labels of no scene of"),
        ("labels", "run", "--to {0}/run is the run itself"),
        ("labels", "full", "--to {0}/full holds a run that made its own labels"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(
    undisturbed: Path, labels: str, to: str, message: str, tmp_path: Path
) -> None:
    for name in ("run", "full"):
        shutil.copytree(undisturbed, tmp_path / name)
    exported(undisturbed, tmp_path / "labels")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "elsewhere.pth").touch()
    ended = boxgp("import-labels", labels, "--run", "run", "--to", to, cwd=tmp_path)
    assert ended.code == 2
    assert message.format(tmp_path) in ended.err
    assert not (tmp_path / "imported").exists()


def test_imported_labels_train_a_network(undisturbed: Path, tmp_path: Path) -> None:
    exported(undisturbed, tmp_path / "labels")
    completed("import-labels", "labels", "--run", undisturbed, "--to", "imported", cwd=tmp_path)
    options = [f"training.network={NETWORK}", "training.steps=2", "training.warmup_steps=1"]
    changes = [part for option in options for part in ("--set", option)]
    ended = completed(
        "run", "imported/config.yaml", "--output", "imported", *changes, "--stage", "..training", cwd=tmp_path
    )
    assert ended.counts("pseudo_labels") == (0, 3, 0, 0)
    assert fingerprint_of(tmp_path / "imported" / "round_00" / "training") is not None
