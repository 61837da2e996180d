"""A run without a stage that others read where it takes part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from toy_stages import Double, DoubleConfig, Numbers, NumbersConfig, Toy

from pipeline.errors import ConfigurationError
from pipeline.plan import make_plan
from pipeline.stage import Result, SceneJob, SceneStage, Stage, StageConfig
from pipeline.tasks import Plan


class Optional(Double):
    """Takes no part where the stage after it has a number of its own."""

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        return None if sections["shift"].path is None else "shift.path is set"


class ShiftConfig(StageConfig):
    path: Path | None = None


class Shift(SceneStage):
    """Reads ``double``, or files."""

    name = "shift"
    version = 1
    Config: ClassVar[type[StageConfig]] = ShiftConfig
    inputs = ("numbers", "double")
    unfingerprinted = ("path",)
    config: ShiftConfig

    def files(self, scene: str) -> tuple[Path, ...]:
        return () if self.config.path is None else (self.config.path / f"{scene}.txt",)

    def run_scene(self, job: SceneJob) -> Result:
        raise NotImplementedError("plans alone are tested here")


STAGES: tuple[tuple[str, type[Stage]], ...] = tuple(
    (f"test_left_out:{stage.__name__}", stage) for stage in (Numbers, Optional, Shift)
)


def plan(toy: Toy, path: Path | None, **options: Any) -> Plan:
    sections = {
        "numbers": NumbersConfig(path=toy.folder / "data"),
        "double": DoubleConfig(),
        "shift": ShiftConfig(path=path),
    }
    return make_plan(replace(toy.config(), sections=sections), STAGES, toy.output, **options)


def shifts(planned: Plan) -> list[str | None]:
    return [row.fingerprint for step in planned.steps if step.stage == "shift" for row in step.rows]


def test_others_do_without_its_results(toy: Toy) -> None:
    planned = plan(toy, toy.folder / "data")
    assert [step.stage for step in planned.steps] == ["numbers", "shift"]
    (task,) = [task for task in planned.tasks if (task.stage, task.scene) == ("shift", "a")]
    assert list(task.inputs) == ["numbers"]
    assert [file.path.name for file in task.files] == ["a.txt"]


def test_they_read_it_where_it_takes_part(toy: Toy) -> None:
    planned = plan(toy, None)
    assert [step.stage for step in planned.steps] == ["numbers", "double", "shift"]
    assert list(planned.tasks[-1].inputs) == ["numbers", "double"]


def test_its_absence_and_the_files_count_in_fingerprints(toy: Toy) -> None:
    before = shifts(plan(toy, None))
    given = toy.folder / "given"
    given.mkdir()
    for scene in toy.scenes:
        (given / f"{scene}.txt").write_text("1")
    first = shifts(plan(toy, given))
    assert None not in first
    assert not set(first) & set(before)
    (given / "b.txt").write_text("2")
    second = shifts(plan(toy, given))
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, True]
    moved = given.rename(toy.folder / "moved")
    assert shifts(plan(toy, moved)) == second


def test_it_cannot_be_asked_for(toy: Toy) -> None:
    with pytest.raises(ConfigurationError, match=r"stage double does not take part in this run: shift\.path is set"):
        plan(toy, toy.folder, first="double")
