"""Which tasks a plan has."""

from __future__ import annotations

import gc
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from toy_stages import TOY_STAGES, Batch, Numbers, Report, Toy, plan_of

from pipeline.errors import ConfigurationError, InputError, StoreError
from pipeline.plan import Pins, make_plan, pin
from pipeline.plans import load_plan, save_plan
from pipeline.stage import DATASET, Source, Stage
from pipeline.tasks import Reason

DONE, MISSING = Reason.DONE, Reason.MISSING


class TestTasks:
    def test_order_and_folders(self, toy: Toy) -> None:
        plan = plan_of(toy)
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
        assert (plan.pending, plan.size) == (11, 11)
        assert [len(step.rows) for _, step in plan.running] == [3, 3, 3, 1, 1]

    def test_planning_writes_the_cache_of_hashes_alone(self, toy: Toy) -> None:
        for path in (toy.folder / "data").iterdir():
            os.utime(path, (1e9, 1e9))
        plan_of(toy)
        assert [path for path in toy.output.rglob("*") if path.is_file()] == [
            toy.output / "cache" / "input_hashes.json"
        ]

    def test_fingerprints_chain(self, toy: Toy) -> None:
        tasks = {(task.stage, task.scene): task for task in plan_of(toy).tasks}
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
        assert [task.fingerprint for task in other.tasks] == [task.fingerprint for task in plan_of(toy).tasks]

    def test_saved_plan_is_the_same_plan(self, done: Toy) -> None:
        for plan in (plan_of(done), plan_of(done, {"seed": 3})):
            loaded = load_plan(save_plan(plan))
            assert loaded.tasks == plan.tasks
            assert (loaded.name, loaded.output) == (plan.name, plan.output)
            assert loaded.config == json.loads(json.dumps(plan.config, default=str))

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"format": 0}', "[]", '{"format": 2, "boxgp": "0.1.0", "steps": [{}]}']
    )
    def test_a_broken_plan_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "plan.json").write_text(text)
        with pytest.raises(StoreError, match=r": plan again"):
            load_plan(tmp_path)

    @pytest.mark.parametrize("change", [{"format": 1}, {"boxgp": "0.0.1"}])
    def test_a_plan_of_another_version_is_refused(self, toy: Toy, change: dict[str, Any]) -> None:
        header = save_plan(plan_of(toy)) / "plan.json"
        header.write_text(json.dumps(json.loads(header.read_text()) | change))
        with pytest.raises(StoreError, match=r"was made by boxgp 0\.\d\.\d, format \d; this is boxgp .*: plan again"):
            load_plan(header.parent)

    @pytest.mark.parametrize("text", ["", '["a", "done"\n', '["a", "else", null, []]\n', "{}\n"])
    def test_broken_rows_are_refused(self, toy: Toy, text: str) -> None:
        folder = save_plan(plan_of(toy))
        (folder / "01_double.jsonl").write_text(text)
        plan = load_plan(folder)
        with pytest.raises(StoreError, match=r"01_double\.jsonl .*: plan again"):
            plan.task(1, 0)

    def test_nothing_is_left_of_a_plan_that_could_not_be_saved(self, toy: Toy) -> None:
        (toy.output / "plans").mkdir(parents=True)
        (toy.output / "config.yaml").mkdir()
        with pytest.raises(InputError, match="cannot be used"):
            save_plan(plan_of(toy))
        assert list(toy.output.glob("**/.*")) == []

    def test_an_output_that_is_a_file_is_refused(self, toy: Toy) -> None:
        toy.output.write_text("")
        with pytest.raises(InputError, match=r"output folder .* cannot be used"):
            save_plan(plan_of(toy))


class TestSelection:
    def test_range_of_stages(self, toy: Toy) -> None:
        plan = plan_of(toy, first="double", last="batch")
        assert {task.stage for task in plan.tasks} == {"double", "batch"}
        everything = {task.folder: task.fingerprint for task in plan_of(toy).tasks}
        assert all(task.fingerprint == everything[task.folder] for task in plan.tasks)

    def test_scenes_in_sorted_order(self, toy: Toy) -> None:
        assert [task.scene for task in plan_of(toy, scenes=["c", "a", "c"], last="numbers").tasks] == ["a", "c"]

    def test_later_stages_of_a_complete_run(self, done: Toy) -> None:
        assert {task.reason for task in plan_of(done, first="report").tasks} == {DONE}
        changed = plan_of(done, {"double": {"factor": 3.0}}, first="report")
        (task,) = changed.tasks
        assert pin(changed, task).fingerprint is None

    def test_range_backwards(self, toy: Toy) -> None:
        with pytest.raises(ConfigurationError, match="batch comes after double"):
            plan_of(toy, first="batch", last="double")

    @pytest.mark.parametrize("options", [{"first": "duble"}, {"last": "duble"}, {"force": ["duble"]}])
    def test_unknown_stage(self, toy: Toy, options: dict[str, Any]) -> None:
        with pytest.raises(
            ConfigurationError,
            match=r"no stage 'duble'; did you mean double\? There are: numbers, double, batch, total, report$",
        ):
            plan_of(toy, **options)

    def test_unknown_scene(self, tmp_path: Path) -> None:
        toy = Toy(tmp_path, {"scene0000_00": "1", "scene0011_01": "1"})
        toy.write()
        with pytest.raises(
            InputError,
            match=r"no scene 'scene0011_1'; did you mean scene0011_01\? There are: scene0000_00, scene0011_01$",
        ):
            plan_of(toy, scenes=["scene0011_1"])

    def test_many_scenes_are_counted_and_nothing_far_is_suggested(self, tmp_path: Path) -> None:
        toy = Toy(tmp_path, {f"s{number:02d}": "1" for number in range(12)})
        toy.write()
        with pytest.raises(InputError, match=r"no scene 'kitchen'\. There are: s00, .*, s09 and 2 more$"):
            plan_of(toy, scenes=["kitchen"])


class TestPinning:
    def test_scene_tasks_stay_as_planned(self, toy: Toy) -> None:
        plan = plan_of(toy)
        assert [pin(plan, task) for task in plan.tasks[:9]] == list(plan.tasks[:9])

    def test_unknown_before_anything_has_run(self, toy: Toy) -> None:
        plan = plan_of(toy)
        total = pin(plan, plan.tasks[9])
        assert total.fingerprint is None
        assert (total.members, total.missing) == ((), ("a", "b", "c"))

    def test_members_that_exist(self, done: Toy) -> None:
        shutil.rmtree(done.output / "round_00" / "batch" / "b")
        plan = plan_of(done)
        total = pin(plan, plan.tasks[9])
        assert ([member.scene for member in total.members], total.missing) == (["a", "c"], ("b",))
        # what it would have with these scenes alone
        assert total.fingerprint == plan_of(done, scenes=["a", "c"]).tasks[6].fingerprint

    @pytest.mark.parametrize("lost", ["round_00/batch/b", "numbers/c", "round_00/total", "nothing"])
    def test_a_new_plan_knows_what_exists(self, done: Toy, lost: str) -> None:
        shutil.rmtree(done.output / lost, ignore_errors=True)
        plan = plan_of(done)
        again, known = Pins(plan), Pins(plan, unchanged=True)
        assert [known.pin(task) for task in plan.tasks] == [again.pin(task) for task in plan.tasks]

    def test_planning_leaves_garbage_collection_as_it_was(self, done: Toy) -> None:
        assert gc.isenabled()
        plan_of(done)
        assert gc.isenabled()
        gc.disable()
        try:
            plan_of(done)
            assert not gc.isenabled()
        finally:
            gc.enable()


class TestRefusals:
    @pytest.mark.parametrize("name", [".hidden", "-a", "a b", "ä", "a@b", ""])
    def test_bad_scene_id(self, toy: Toy, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setattr(Numbers, "discover", lambda _: [Source(name, (Path("/data/x.txt"),))])
        with pytest.raises(InputError, match=r"\(/data/x.txt\) is no scene id.*rename the file"):
            plan_of(toy)

    def test_the_same_scene_twice(self, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = [Source("a", (Path("/data/a.npz"),)), Source("a", (Path("/data/a.ply"),))]
        monkeypatch.setattr(Numbers, "discover", lambda _: sources)
        with pytest.raises(InputError, match=r"scene a exists twice: /data/a.npz and /data/a.ply"):
            plan_of(toy)

    def test_no_scene(self, tmp_path: Path) -> None:
        toy = Toy(tmp_path, {})
        toy.write()
        with pytest.raises(InputError, match="no scene was found"):
            plan_of(toy)

    def test_stages_in_the_wrong_order(self, toy: Toy) -> None:
        stages: list[tuple[str, type[Stage]]] = [("x:Numbers", Numbers), ("x:Batch", Batch)]
        with pytest.raises(ConfigurationError, match="batch reads double, which is not planned before it"):
            plan_of(toy, stages=stages)

    def test_no_source(self, toy: Toy) -> None:
        with pytest.raises(ConfigurationError, match="one stage without inputs"):
            plan_of(toy, stages=[("x:Report", Report)])
