"""Why each task of a plan runs, or that it need not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_stages import TOY_STAGES, Double, Numbers, Toy, complete, plan_of

from pipeline.plans import load_plan, save_plan
from pipeline.stage import Source
from pipeline.store import read_arrays
from pipeline.tasks import Plan, Reason

DONE, MISSING, CONFIG = Reason.DONE, Reason.MISSING, Reason.CONFIG
INPUT, VERSION, FORCED = Reason.INPUT, Reason.VERSION, Reason.FORCED


def _reasons(plan: Plan, stage: str) -> list[Reason]:
    return [task.reason for task in plan.tasks if task.stage == stage]


class TestReasons:
    def test_done(self, done: Toy) -> None:
        assert {task.reason for task in plan_of(done).tasks} == {DONE}

    def test_missing_and_torn(self, done: Toy) -> None:
        shutil.rmtree(done.output / "round_00" / "double" / "a")
        (done.output / "numbers" / "b" / "manifest.json").write_text("{")
        (done.output / "round_00" / "batch" / "c" / "data.zarr.zip").unlink()
        plan = plan_of(done)
        assert _reasons(plan, "numbers") == [DONE, MISSING, DONE]
        assert _reasons(plan, "double") == [MISSING, DONE, DONE]
        assert _reasons(plan, "batch") == [DONE, DONE, MISSING]

    def test_config_then_input(self, done: Toy) -> None:
        plan = plan_of(done, {"double": {"factor": 3.0}})
        assert _reasons(plan, "numbers") == [DONE] * 3
        assert _reasons(plan, "double") == [CONFIG] * 3
        assert _reasons(plan, "batch") == [INPUT] * 3
        assert _reasons(plan, "total") == [INPUT]

    def test_seed(self, done: Toy) -> None:
        assert {task.reason for task in plan_of(done, {"seed": 1}).tasks} == {CONFIG}

    def test_version(self, done: Toy) -> None:
        class Newer(Double):
            version = 2

        stages = [(path, Newer if stage is Double else stage) for path, stage in TOY_STAGES]
        plan = plan_of(done, stages=stages)
        assert _reasons(plan, "double") == [VERSION] * 3
        assert _reasons(plan, "batch") == [INPUT] * 3

    def test_raw_content(self, done: Toy) -> None:
        (done.folder / "data" / "b.txt").write_text("7")
        plan = plan_of(done)
        for stage in ("numbers", "double", "batch"):
            assert _reasons(plan, stage) == [DONE, INPUT, DONE]

    def test_touching_a_raw_file_changes_nothing(self, done: Toy) -> None:
        (done.folder / "data" / "b.txt").touch()
        assert {task.reason for task in plan_of(done).tasks} == {DONE}

    def test_data_that_moved_stay_valid(self, done: Toy) -> None:
        path = (done.folder / "data").rename(done.folder / "elsewhere")
        plan = plan_of(done, {"numbers": {"path": path}})
        assert [task.files[0].path.parent for task in plan.tasks[:3]] == [path] * 3
        assert {task.reason for task in plan.tasks} == {DONE}
        (path / "b.txt").write_text("7")
        assert _reasons(plan_of(done, {"numbers": {"path": path}}), "numbers") == [DONE, INPUT, DONE]

    def test_beside_an_option_that_does_not_count_another_one_does(self, done: Toy) -> None:
        offsets = done.folder / "offsets"
        plan = plan_of(done, {"double": {"offsets": offsets}})
        assert {task.unfingerprinted for task in plan.tasks if task.stage == "double"} == {("offsets",)}
        assert {task.reason for task in plan.tasks} == {DONE}
        plan = plan_of(done, {"double": {"offsets": offsets, "factor": 3.0}})
        assert _reasons(plan, "numbers") == [DONE] * 3
        assert _reasons(plan, "double") == [CONFIG] * 3

    def test_forced(self, done: Toy) -> None:
        plan = plan_of(done, force=["double"])
        assert _reasons(plan, "double") == [FORCED] * 3
        assert _reasons(plan, "batch") == [DONE] * 3

    def test_forced_but_missing(self, toy: Toy) -> None:
        assert _reasons(plan_of(toy, force=["double"]), "double") == [MISSING] * 3

    def test_another_set_of_scenes(self, done: Toy) -> None:
        plan = plan_of(done, scenes=["b"])
        assert [(task.stage, task.reason) for task in plan.tasks] == [
            ("numbers", DONE),
            ("double", DONE),
            ("batch", DONE),
            ("total", INPUT),
            ("report", INPUT),
        ]

    def test_a_raw_file_that_cannot_be_read_stays_in_the_plan(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = [Source("a", (toy.folder / "data" / "a.txt",)), Source("gone", (toy.folder / "data" / "gone.txt",))]
        monkeypatch.setattr(Numbers, "discover", lambda _: sources)
        contents = [task.files[0].content for task in plan_of(toy).tasks if task.stage == "numbers"]
        assert contents[1] == "unreadable: No such file or directory"
        assert len(contents[0]) == 64


class TestFilesBesideInputs:
    """``double`` reads a file of its own for some scenes."""

    @pytest.fixture
    def config(self, toy: Toy) -> dict[str, dict[str, Path]]:
        """Files for scenes a and b, with which the run is complete."""
        offsets = toy.folder / "offsets"
        offsets.mkdir()
        for scene in "ab":
            (offsets / f"{scene}.txt").write_text("100")
        config = {"double": {"offsets": offsets}}
        complete(plan_of(toy, config))
        return config

    def test_they_are_read_and_known(self, toy: Toy, config: dict[str, dict[str, Path]]) -> None:
        tasks = {task.scene: task for task in plan_of(toy, config).tasks if task.stage == "double"}
        assert {task.reason for task in tasks.values()} == {DONE}
        assert [[file.path for file in tasks[scene].files] for scene in "abc"] == [
            [config["double"]["offsets"] / "a.txt"],
            [config["double"]["offsets"] / "b.txt"],
            [],
        ]
        # 2 x number + noise in [0, 1), and 100 where there is a file
        least = [read_arrays(tasks[scene].folder)[0]["number"].min() for scene in "abc"]
        np.testing.assert_allclose(least, [102.5, 108.5, 12.5], atol=0.5)

    def test_their_content_counts(self, toy: Toy, config: dict[str, dict[str, Path]]) -> None:
        (config["double"]["offsets"] / "b.txt").write_text("101")
        plan = plan_of(toy, config)
        assert _reasons(plan, "numbers") == [DONE] * 3
        assert _reasons(plan, "double") == _reasons(plan, "batch") == [DONE, INPUT, DONE]

    def test_when_they_were_written_does_not(self, toy: Toy, config: dict[str, dict[str, Path]]) -> None:
        for path in config["double"]["offsets"].iterdir():
            os.utime(path, (1e9, 1e9))
        assert {task.reason for task in plan_of(toy, config).tasks} == {DONE}

    def test_one_more_and_one_less(self, toy: Toy, config: dict[str, dict[str, Path]]) -> None:
        (config["double"]["offsets"] / "a.txt").rename(config["double"]["offsets"] / "c.txt")
        assert _reasons(plan_of(toy, config), "double") == [INPUT, DONE, INPUT]

    def test_a_saved_plan_keeps_them(self, toy: Toy, config: dict[str, dict[str, Path]]) -> None:
        (config["double"]["offsets"] / "b.txt").write_text("101")
        plan = plan_of(toy, config)
        loaded = load_plan(save_plan(plan))
        changed = loaded.tasks[4]
        assert (changed.stage, changed.scene, changed.reason) == ("double", "b", INPUT)
        assert changed.files == plan.tasks[4].files != ()
        assert changed.unfingerprinted == ("offsets",)
        complete(loaded)
        assert {task.reason for task in plan_of(toy, config).tasks} == {DONE}
