import json
from pathlib import Path
from typing import Any

import pytest

from stages.training.monitor import METRICS, Monitor


def record(step: int, **val: float) -> dict[str, Any]:
    return {"step": step, "train": {"loss": 1 / step, "bce": 0.5}} | ({"val": val} if val else {})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]


def write(folder: Path, first: int, last: int, *, close: bool = True, tensorboard: bool = False) -> None:
    monitor = Monitor(folder, tensorboard=tensorboard)
    monitor.begin([record(step) for step in range(1, first)], 10)
    for step in range(first, last + 1):
        monitor.log(record(step))
    if close:
        monitor.close()


def test_a_line_a_step(tmp_path: Path) -> None:
    write(tmp_path / "new", 1, 3)
    assert lines(tmp_path / "new") == [record(1), record(2), record(3)]


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    monitor = Monitor(tmp_path, tensorboard=False)
    monitor.begin([], 10)
    monitor.log(record(1, AP=float("nan")))
    assert lines(tmp_path)[0]["val"] == {"AP": None}


def test_steps_after_the_last_checkpoint_are_taken_back(tmp_path: Path) -> None:
    write(tmp_path, 1, 5, close=False)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 6, "tr')
    write(tmp_path, 3, 4)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4]


def test_reports(tmp_path: Path) -> None:
    reports: list[tuple[int, int, str]] = []
    monitor = Monitor(tmp_path, lambda *report: reports.append(report), tensorboard=False)
    monitor.begin([], 10)
    monitor.log(record(1))
    monitor.log(record(2, AP=0.25, AP50=0.5))
    monitor.log(record(4))
    assert reports == [
        (1, 10, "loss 1.000"),
        (2, 10, "loss 0.500, AP 0.250, AP50 0.500"),
        (4, 10, "loss 0.250, AP 0.250, AP50 0.500"),
    ]


@pytest.mark.parametrize("resumed", [1, 3])
def test_tensorboard_has_each_step_once(tmp_path: Path, resumed: int) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, 1, 5, tensorboard=True)
    write(tmp_path, resumed, 4, tensorboard=True)
    events = accumulator.EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["scalars"] == ["train/loss", "train/bce"]
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    assert events.Scalars("train/loss")[3].value == pytest.approx(0.25)
