"""The benchmark checks what it measures: it stops where a command finds something else than was made."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import planning
from benchmarks.made_up import make_results, make_scans
from benchmarks.measured import measured
from benchmarks.planning import STAGES, Bench, measure
from pipeline.store import read_arrays, read_manifest
from pipeline.tasks import Reason

SCENES = 4


def test_every_command_finds_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SETTLED_SECONDS", 0.0)
    content = measure(tmp_path, SCENES)
    assert content["scenes"] == SCENES
    assert all(row["seconds"] > 0 for row in content["rows"])
    whats = [row["what"] for row in content["rows"]]
    assert len(whats) == len(set(whats))


def test_made_up_results_are_those_of_their_tasks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, SCENES)
    make_scans(tmp_path / "scans", SCENES)
    assert len(list(make_results(bench.planned()))) == SCENES * len(STAGES)
    for task in bench.planned().tasks:
        assert task.reason is Reason.DONE
        manifest = read_manifest(task.folder)
        assert (manifest["stage"], manifest["scene"], manifest["seed"]) == (task.stage, task.scene, task.seed)
        assert manifest["inputs"] == {name: one.fingerprint for name, one in task.inputs.items()}
        assert manifest["files"] == [[file.path.name, file.content] for file in task.files]
        assert list(read_arrays(task.folder)[0]) == ["value"]


def test_an_unexpected_count_ends_the_benchmark(tmp_path: Path) -> None:
    make_scans(tmp_path / "scans", 1)
    with pytest.raises(SystemExit, match=r"in passing: '\^7 of 5 tasks would run' was expected"):
        Bench(tmp_path, 1).plan("in passing", 7)


def test_memory_of_the_benchmark_itself_does_not_count() -> None:
    held = bytearray(b"x") * 2**28
    cost, said = measured([sys.executable, "-S", "-c", "print('done')"])
    assert said == "done\n"
    assert 0 < cost["peak_bytes"] < len(held) / 4
    assert json.loads(json.dumps(cost)) == cost


def test_a_command_that_fails_is_no_figure() -> None:
    with pytest.raises(SystemExit, match="broken here"):
        measured([sys.executable, "-c", "raise SystemExit('broken here')"])
