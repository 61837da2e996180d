from pathlib import Path

import numpy as np
import pytest

from benchmarks.exports import all_in_train, export, rendered, s3dis_copies
from benchmarks.runs import run
from benchmarks.workload import rooms_load
from pipeline.results import RunResults
from tests.benchmarks.test_report import MACHINE


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    folder = tmp_path_factory.mktemp("exports")
    run("demo", rooms_load(2, 1500), (), folder / "run")
    return RunResults(folder / "run", 0)


def test_figures_of_one_format_and_their_row(labelled: RunResults, tmp_path: Path) -> None:
    row = export(labelled, "softgroup", tmp_path)
    assert row["scenes"] == 2
    assert row["points"] == 3000
    assert row["files"] == 2 * 3 + 1
    files = [path for path in (tmp_path / "softgroup" / "softgroup").rglob("*") if path.is_file()]
    assert row["bytes"] == sum(path.stat().st_size for path in files) > 0
    assert 0 < row["seconds"] < row["command_seconds"]
    text = rendered({"machine": MACHINE, "versions": {"boxgp": "1"}, "load": "rooms", "rows": [row]})
    assert "| `softgroup` | 2 |" in text


def test_scans_under_the_names_of_s3dis(labelled: RunResults, tmp_path: Path) -> None:
    load = s3dis_copies(labelled, tmp_path / "scans")
    assert "scenes.classes=s3dis13" in load.settings
    assert sorted(path.stem for path in (tmp_path / "scans").iterdir()) == ["Area_1_office_1", "Area_1_office_2"]
    with np.load(tmp_path / "scans" / "Area_1_office_1.npz") as arrays:
        assert arrays["box_class"].max() < 13
        assert len(arrays["xyz"]) == 1500


def test_everything_is_for_training(labelled: RunResults, tmp_path: Path) -> None:
    assert '"room_0000", "room_0001"' in all_in_train(labelled, tmp_path / "split.json").read_text()
