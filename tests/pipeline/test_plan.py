"""Which tasks a plan has, and why they run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from toy_stages import TOY_STAGES, Batch, Double, Numbers, Report, Toy

from pipeline.errors import ConfigurationError, InputError, StoreError
from pipeline.executors.local import run_plan
from pipeline.plan import load_plan, make_plan, pin, save_plan
from pipeline.progress import Progress
from pipeline.stage import DATASET, Source, Stage
from pipeline.tasks import Plan, Reason

DONE, MISSING, CONFIG = Reason.DONE, Reason.MISSING, Reason.CONFIG
INPUT, VERSION, FORCED = Reason.INPUT, Reason.VERSION, Reason.FORCED


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    toy = Toy(tmp_path)
    toy.write()
    return toy


@pytest.fixture
def done(toy: Toy) -> Toy:
    """A data set whose run is complete."""
    assert run_plan(_plan(toy), workers=0, progress=Progress()).exit_code == 0
    return toy


def _plan(toy: Toy, config: Mapping[str, Any] | None = None, **options: Any) -> Plan:
    return make_plan(toy.config(**(config or {})), options.pop("stages", TOY_STAGES), toy.output, **options)


def _reasons(plan: Plan, stage: str) -> list[Reason]:
    return [task.reason for task in plan.tasks if task.stage == stage]


class TestTasks:
    def test_order_and_folders(self, toy: Toy) -> None:
        plan = _plan(toy)
        folders = [task.folder.relative_to(toy.output).as_posix() for task in plan.tasks]
        assert folders == [
            *(f"numbers/{scene}" for scene in "abc"),
            *(f"round_00/double/{scene}" for scene in "abc"),
            *(f"round_00/batch/{scene}" for scene in "abc"),
            "round_00/total",
            "round_00/report",
        ]
        assert plan.counts() == {name: {MISSING: 3} for name in ("numbers", "double", "batch")} | {
            "total": {MISSING: 1},
            "report": {MISSING: 1},
        }
        assert len(plan.pending) == 11
        assert [len(step) for step in plan.steps()] == [3, 3, 3, 1, 1]

    def test_planning_writes_the_cache_of_hashes_alone(self, toy: Toy) -> None:
        for path in (toy.folder / "data").iterdir():
            os.utime(path, (1e9, 1e9))
        _plan(toy)
        assert [path for path in toy.output.rglob("*") if path.is_file()] == [
            toy.output / "cache" / "input_hashes.json"
        ]

    def test_fingerprints_chain(self, toy: Toy) -> None:
        tasks = {(task.stage, task.scene): task for task in _plan(toy).tasks}
        assert len({task.fingerprint for task in tasks.values() if task.granularity == "scene"}) == 9
        assert tasks["double", "a"].inputs["numbers"] == (
            toy.output / "numbers" / "a",
            tasks["numbers", "a"].fingerprint,
        )
        assert [file.path for file in tasks["numbers", "a"].files] == [toy.folder / "data" / "a.txt"]
        assert tasks["total", DATASET].fingerprint is None
        assert [member.scene for member in tasks["total", DATASET].members] == ["a", "b", "c"]

    def test_the_place_of_the_output_is_no_part_of_a_fingerprint(self, toy: Toy, tmp_path: Path) -> None:
        other = make_plan(toy.config(), TOY_STAGES, tmp_path / "other")
        assert [task.fingerprint for task in other.tasks] == [task.fingerprint for task in _plan(toy).tasks]

    def test_saved_plan_is_the_same_plan(self, done: Toy) -> None:
        for plan in (_plan(done), _plan(done, {"seed": 3})):
            loaded = load_plan(save_plan(plan))
            assert loaded.tasks == plan.tasks
            assert (loaded.name, loaded.output) == (plan.name, plan.output)
            assert loaded.config == json.loads(json.dumps(plan.config, default=str))

    @pytest.mark.parametrize("text", ["", "{}", '{"format": 0}', "[]", '{"format": 1, "tasks": [{}]}'])
    def test_a_broken_plan_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(StoreError, match=r"plan.json is .*: plan again"):
            load_plan(tmp_path / "plan.json")

    def test_an_output_that_is_a_file_is_refused(self, toy: Toy) -> None:
        toy.output.write_text("")
        with pytest.raises(InputError, match=r"output folder .* cannot be used"):
            save_plan(_plan(toy))


class TestReasons:
    def test_done(self, done: Toy) -> None:
        assert {task.reason for task in _plan(done).tasks} == {DONE}

    def test_missing_and_torn(self, done: Toy) -> None:
        shutil.rmtree(done.output / "round_00" / "double" / "a")
        (done.output / "numbers" / "b" / "manifest.json").write_text("{")
        (done.output / "round_00" / "batch" / "c" / "data.zarr" / "number" / "c" / "0").unlink()
        plan = _plan(done)
        assert _reasons(plan, "numbers") == [DONE, MISSING, DONE]
        assert _reasons(plan, "double") == [MISSING, DONE, DONE]
        assert _reasons(plan, "batch") == [DONE, DONE, MISSING]

    def test_config_then_input(self, done: Toy) -> None:
        plan = _plan(done, {"double": {"factor": 3.0}})
        assert _reasons(plan, "numbers") == [DONE] * 3
        assert _reasons(plan, "double") == [CONFIG] * 3
        assert _reasons(plan, "batch") == [INPUT] * 3
        assert _reasons(plan, "total") == [INPUT]

    def test_seed(self, done: Toy) -> None:
        assert {task.reason for task in _plan(done, {"seed": 1}).tasks} == {CONFIG}

    def test_version(self, done: Toy) -> None:
        class Newer(Double):
            version = 2

        stages = [(path, Newer if stage is Double else stage) for path, stage in TOY_STAGES]
        plan = _plan(done, stages=stages)
        assert _reasons(plan, "double") == [VERSION] * 3
        assert _reasons(plan, "batch") == [INPUT] * 3

    def test_raw_content(self, done: Toy) -> None:
        (done.folder / "data" / "b.txt").write_text("7")
        plan = _plan(done)
        for stage in ("numbers", "double", "batch"):
            assert _reasons(plan, stage) == [DONE, INPUT, DONE]

    def test_touching_a_raw_file_changes_nothing(self, done: Toy) -> None:
        (done.folder / "data" / "b.txt").touch()
        assert {task.reason for task in _plan(done).tasks} == {DONE}

    def test_forced(self, done: Toy) -> None:
        plan = _plan(done, force=["double"])
        assert _reasons(plan, "double") == [FORCED] * 3
        assert _reasons(plan, "batch") == [DONE] * 3

    def test_forced_but_missing(self, toy: Toy) -> None:
        assert _reasons(_plan(toy, force=["double"]), "double") == [MISSING] * 3

    def test_another_set_of_scenes(self, done: Toy) -> None:
        plan = _plan(done, scenes=["b"])
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
        contents = [task.files[0].content for task in _plan(toy).tasks if task.stage == "numbers"]
        assert contents[1] == "unreadable: No such file or directory"
        assert len(contents[0]) == 64


class TestSelection:
    def test_range_of_stages(self, toy: Toy) -> None:
        plan = _plan(toy, first="double", last="batch")
        assert {task.stage for task in plan.tasks} == {"double", "batch"}
        everything = {task.folder: task.fingerprint for task in _plan(toy).tasks}
        assert all(task.fingerprint == everything[task.folder] for task in plan.tasks)

    def test_scenes_in_sorted_order(self, toy: Toy) -> None:
        assert [task.scene for task in _plan(toy, scenes=["c", "a", "c"], last="numbers").tasks] == ["a", "c"]

    def test_later_stages_of_a_complete_run(self, done: Toy) -> None:
        assert {task.reason for task in _plan(done, first="report").tasks} == {DONE}
        changed = _plan(done, {"double": {"factor": 3.0}}, first="report")
        (task,) = changed.tasks
        assert pin(changed, task).fingerprint is None

    def test_range_backwards(self, toy: Toy) -> None:
        with pytest.raises(ConfigurationError, match="batch comes after double"):
            _plan(toy, first="batch", last="double")

    @pytest.mark.parametrize("options", [{"first": "duble"}, {"last": "duble"}, {"force": ["duble"]}])
    def test_unknown_stage(self, toy: Toy, options: dict[str, Any]) -> None:
        with pytest.raises(ConfigurationError, match="no stage 'duble'; did you mean double"):
            _plan(toy, **options)

    def test_unknown_scene(self, tmp_path: Path) -> None:
        toy = Toy(tmp_path, {"scene0000_00": "1", "scene0011_01": "1"})
        toy.write()
        with pytest.raises(InputError, match="no scene 'scene0011_1'; did you mean 'scene0011_01'"):
            _plan(toy, scenes=["scene0011_1"])


class TestPinning:
    def test_scene_tasks_stay_as_planned(self, toy: Toy) -> None:
        plan = _plan(toy)
        assert [pin(plan, task) for task in plan.tasks[:9]] == list(plan.tasks[:9])

    def test_unknown_before_anything_has_run(self, toy: Toy) -> None:
        plan = _plan(toy)
        total = pin(plan, plan.tasks[9])
        assert total.fingerprint is None
        assert (total.members, total.missing) == ((), ("a", "b", "c"))

    def test_members_that_exist(self, done: Toy) -> None:
        shutil.rmtree(done.output / "round_00" / "batch" / "b")
        plan = _plan(done)
        total = pin(plan, plan.tasks[9])
        assert ([member.scene for member in total.members], total.missing) == (["a", "c"], ("b",))
        # what it would have with these scenes alone
        assert total.fingerprint == _plan(done, scenes=["a", "c"]).tasks[6].fingerprint


class TestRefusals:
    @pytest.mark.parametrize("name", [".hidden", "-a", "a b", "ä", "a@b", ""])
    def test_bad_scene_id(self, toy: Toy, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setattr(Numbers, "discover", lambda _: [Source(name, (Path("/data/x.txt"),))])
        with pytest.raises(InputError, match=r"\(/data/x.txt\) is no scene id.*rename the file"):
            _plan(toy)

    def test_the_same_scene_twice(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = [Source("a", (Path("/data/a.npz"),)), Source("a", (Path("/data/a.ply"),))]
        monkeypatch.setattr(Numbers, "discover", lambda _: sources)
        with pytest.raises(InputError, match=r"scene a exists twice: /data/a.npz and /data/a.ply"):
            _plan(toy)

    def test_no_scene(self, tmp_path: Path) -> None:
        toy = Toy(tmp_path, {})
        toy.write()
        with pytest.raises(InputError, match="no scene was found"):
            _plan(toy)

    def test_stages_in_the_wrong_order(self, toy: Toy) -> None:
        stages: list[tuple[str, type[Stage]]] = [("x:Numbers", Numbers), ("x:Batch", Batch)]
        with pytest.raises(ConfigurationError, match="batch reads double, which is not planned before it"):
            _plan(toy, stages=stages)

    def test_no_source(self, toy: Toy) -> None:
        with pytest.raises(ConfigurationError, match="one stage without inputs"):
            _plan(toy, stages=[("x:Report", Report)])
