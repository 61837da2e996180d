"""Rounds: a chain of inputs, with splits, options that count later, stages that are left out, and workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_rounds import ROUND_STAGES, LabelConfig, TrainConfig
from toy_stages import Toy

from pipeline.config import RunConfig
from pipeline.errors import ConfigurationError
from pipeline.executors.local import LocalExecutor
from pipeline.plan import make_plan
from pipeline.plans import load_plan, save_plan
from pipeline.progress import Progress
from pipeline.run import run_plan
from pipeline.stage import StageConfig
from pipeline.store import read_arrays
from pipeline.tasks import Plan, Reason
from pipeline.workspace import Report, reports

NO_SPLITS: Mapping[str, tuple[str, ...]] = {"train": (), "val": (), "test": ()}


def config(
    toy: Toy,
    rounds: int = 2,
    splits: Mapping[str, tuple[str, ...]] = NO_SPLITS,
    *,
    label: LabelConfig | None = None,
    train: TrainConfig | None = None,
) -> RunConfig:
    toy.write()
    own = {"label": label or LabelConfig(), "train": train or TrainConfig(), "predict": StageConfig()}
    return replace(toy.config(), rounds=rounds, splits=splits, sections={**toy.config().sections, **own})


def planned(config: RunConfig, toy: Toy, **options: Any) -> Plan:
    return make_plan(config, ROUND_STAGES, toy.output, **options)


def ran(plan: Plan, workers: int = 0) -> Plan:
    outcome = run_plan(plan, LocalExecutor(workers), Progress())
    assert outcome.exit_code == 0, outcome.failed
    return plan


def trained(toy: Toy, number: int) -> tuple[float, dict[str, Any]]:
    arrays, attributes = read_arrays(toy.output / f"round_{number:02d}" / "train")
    return float(arrays["number"]), attributes


@pytest.mark.parametrize("workers", [0, 2])
def test_a_round_reads_what_the_round_before_gave(workers: int, toy: Toy) -> None:
    plan = ran(planned(config(toy), toy), workers)
    steps = ["numbers", "label", "train", "predict", "label (1)", "train (1)", "predict (1)"]
    assert [step.label for step in plan.steps] == steps == [*plan.counts()]
    assert trained(toy, 0) == (3.5, {"splits": dict.fromkeys("abc", "train"), "before": [], "resumed": False})
    # labels are half the numbers and half their mean, 3.5: their mean is the same, their spread is not
    assert trained(toy, 1)[1]["before"] == [3.5] * 3
    labels = read_arrays(toy.output / "round_01" / "label" / "a")[0]["number"]
    assert labels.tolist() == [2.25, 2.75, 3.25]
    again = planned(config(toy), toy)
    assert again.pending == 0


def test_one_round_is_the_beginning_of_two(toy: Toy) -> None:
    ran(planned(config(toy, rounds=1), toy))
    counts = planned(config(toy), toy).counts()
    first = {name: count for name, count in counts.items() if "(1)" not in name}
    assert all(set(count) == {Reason.DONE} for count in first.values())
    assert all(set(counts[name]) == {Reason.MISSING} for name in counts.keys() - first.keys())


def test_an_option_that_counts_later_leaves_the_first_round_alone(toy: Toy) -> None:
    ran(planned(config(toy), toy))
    changed = planned(config(toy, label=LabelConfig(weight=0.25)), toy).counts()
    assert changed["label"] == {Reason.DONE: 3}
    assert changed["train"] == {Reason.DONE: 1}
    assert changed["label (1)"] == {Reason.CONFIG: 3}


def test_splits_choose_the_scenes_of_a_stage(toy: Toy) -> None:
    splits = {"train": ("a", "b"), "val": ("c",), "test": ()}
    ran(planned(config(toy, 1, splits), toy))
    assert trained(toy, 0) == (
        3.0,
        {"splits": {"a": "train", "b": "train", "c": "val"}, "before": [], "resumed": False},
    )
    assert planned(config(toy, 1, splits), toy).pending == 0
    # a scene that changes its place makes another training set of the same scenes
    moved = {"train": ("a", "c"), "val": ("b",), "test": ()}
    assert planned(config(toy, 1, moved), toy).counts()["train"] == {Reason.INPUT: 1}
    ran(planned(config(toy, 1, {"train": ("a",), "val": (), "test": ("c",)}), toy))
    assert trained(toy, 0)[1]["splits"] == {"a": "train"}
    ran(planned(config(toy, 1, {"train": (), "val": ("c",), "test": ("b",)}), toy))
    assert trained(toy, 0)[1]["splits"] == {"a": "train", "c": "val"}


def test_a_stage_may_be_left_out(toy: Toy) -> None:
    without = TrainConfig(network=None)
    assert [step.stage for step in planned(config(toy, 1, train=without), toy).steps] == ["numbers", "label"]
    with pytest.raises(ConfigurationError, match=r"stage predict does not take part in this run: set train\.network"):
        planned(config(toy, 1, train=without), toy, last="predict")
    with pytest.raises(ConfigurationError, match=r"rounds: 2: in its second round, stage label reads predict"):
        planned(config(toy, 2, train=without), toy)


def test_a_range_of_stages_ends_in_the_last_round(toy: Toy) -> None:
    labels = [step.label for _, step in planned(config(toy), toy, first="train", last="label").running]
    assert labels == ["train", "predict", "label (1)"]
    assert [step.label for _, step in planned(config(toy), toy, last="numbers").running] == ["numbers"]


def test_the_content_of_a_file_counts_for_all_scenes(toy: Toy, tmp_path: Path) -> None:
    code = tmp_path / "net.py"
    code.write_text("one")
    ran(planned(config(toy, 1, train=TrainConfig(code=code)), toy))
    assert planned(config(toy, 1, train=TrainConfig(code=code)), toy).pending == 0
    code.write_text("another")
    assert planned(config(toy, 1, train=TrainConfig(code=code)), toy).counts()["train"] == {Reason.INPUT: 1}


def test_a_saved_plan_knows_splits(toy: Toy) -> None:
    plan = planned(config(toy, 2, {"train": ("a", "b"), "val": (), "test": ()}), toy)
    assert load_plan(save_plan(plan)).tasks == plan.tasks


class Notes(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[Report] = []

    def note(self, report: Report) -> None:
        self.notes.append(report)


def test_an_interrupted_task_goes_on_in_its_workspace(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.executors.stepwise._SECONDS_BETWEEN_LOOKS", 0.001)
    (toy.output).mkdir()
    (toy.output / "interrupt").touch()
    first = Notes()
    assert run_plan(planned(config(toy, 1), toy), LocalExecutor(0), first).exit_code == 1
    train = toy.output / "round_00" / "train"
    assert [*reports(toy.output, train)] == [Report(1, 2, "half of it")]
    (toy.output / "interrupt").unlink()
    ran(planned(config(toy, 1), toy))
    assert trained(toy, 0)[1]["resumed"]
    assert [*reports(toy.output, train)] == []
    assert not (toy.output / "work").exists()


def test_another_task_has_another_workspace(toy: Toy) -> None:
    toy.output.mkdir()
    (toy.output / "interrupt").touch()
    run_plan(planned(config(toy, 1), toy), LocalExecutor(0), Progress())
    (toy.output / "interrupt").unlink()
    ran(planned(config(toy, 1, {"train": ("a",), "val": (), "test": ()}), toy))
    assert not trained(toy, 0)[1]["resumed"]


def test_a_workspace_is_at_a_known_place(toy: Toy, tmp_path: Path) -> None:
    assert [*reports(tmp_path, tmp_path / "round_00" / "train")] == []
    place = tmp_path / "work" / "round_00" / "train" / "0123"
    place.mkdir(parents=True)
    (place / "report.json").write_text("torn")
    assert [*reports(tmp_path, tmp_path / "round_00" / "train")] == []
