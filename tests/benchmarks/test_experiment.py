"""The experiment on tiny rooms, from a configuration to its table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.experiment.job import first_network, label_quality, labelled_rooms, relabelled, run_job, settings_of
from benchmarks.experiment.prepare import prepare
from benchmarks.experiment.rooms import BeforeNetwork, read_room, to_learn_from, write_room
from benchmarks.experiment.rows import ROWS, RULES, Job, Rule
from benchmarks.experiment.settings import ExperimentError, Folder
from benchmarks.experiment.table import figures_of, rendered
from pipeline.stage import SceneJob
from pipeline.store import commit
from stages.features.config import FeaturesConfig
from stages.features.stage import Features
from stages.inference.config import InferenceConfig
from stages.inference.stage import Inference
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.infer import conclude
from stages.posteriors.infer import prepare as prepared_scene
from stages.posteriors.stage import Posteriors
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.stage import PseudoLabels as PseudoLabelsStage
from stages.stores import read_scene, read_superpoints
from stages.structures import Boxes, LabelSource, Scene, Superpoints
from stages.training.checkpoint import read_network
from stages.training.loop import TrainingError
from stages.training.monitor import METRICS, Monitor

CONFIGURATION = """
base: experiment
scenes: {first: 7, count: 4, points: 2000, maximum_side: 4.0}
splits: {val: [room_0010]}
training:
  steps: 3
  later_steps: 2
  checkpoint_every: 1
  validate_every: 2
  options: {widths: [4, 8], width: 8, layers: 1, heads: 2}
"""
CPU = torch.device("cpu")
ROW = {row.key: row for row in ROWS}
MISSING = (
    "beartype", "dask", "distributed", "gpytorch", "jaxtyping", "lightning_fabric", "numba", "open3d", "pydantic",
    "rich", "tensorboard", "yaml", "zarr",
)  # fmt: skip


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("configuration") / "tiny.yaml"
    path.write_text(CONFIGURATION)
    return str(path)


@pytest.fixture(scope="module")
def prepared(configuration: str, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Three rooms to learn from and one to be judged on; tests write nothing there."""
    folder = Folder(tmp_path_factory.mktemp("prepared"))
    assert prepare(configuration, folder, (0, 1))
    return folder


@pytest.fixture(scope="module")
def trained(prepared: Folder, tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """With the first phase on labels ``gp``."""
    folder = copied(prepared, tmp_path_factory.mktemp("trained"))
    run_job(Job("gp", "none", 0), folder.read(), folder, CPU)
    return folder


def copied(folder: Folder, to: Path) -> Folder:
    """An experiment as it travels to another machine: without what the pipeline has computed."""
    shutil.copytree(folder.path, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run"))
    return Folder(to)


def weights(folder: Folder, job: Job) -> dict[str, torch.Tensor]:
    return dict(read_network(folder.network(job)).weights)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_prepared_settings(prepared: Folder) -> None:
    experiment = prepared.read()
    assert (experiment.train, experiment.val) == (("room_0007", "room_0008", "room_0009"), ("room_0010",))
    assert experiment.seeds == (0, 1)
    assert "chair" in experiment.class_names
    assert experiment.configuration["posteriors"]["engine"] == "graph"


def test_rooms_come_back(prepared: Folder) -> None:
    scene = read_scene(prepared.run / "scenes" / "room_0008")
    superpoints = read_superpoints(prepared.run / "superpoints" / "room_0008")
    stored = PseudoLabels.open(prepared.run / "round_00" / "pseudo_labels" / "room_0008")
    room = read_room(prepared.room("room_0008"), "gp", before_network=True)
    assert room.labels is not None
    for one, other, left_out in (
        (scene, room.scene, {"semantic"}),
        (superpoints, room.superpoints, {"surface"}),
        (stored, room.labels, set[str]()),
    ):
        for name in {field.name for field in fields(one)} - left_out - {"boxes"}:
            np.testing.assert_equal(getattr(other, name), getattr(one, name), err_msg=name)
    np.testing.assert_equal(vars(room.scene.boxes), vars(scene.boxes))


def test_every_rule_decides_as_it_should(prepared: Folder) -> None:
    source: dict[Rule, set[int]] = {rule: set() for rule in RULES}
    for rule, room in product(RULES, prepared.read().train):
        labels = read_room(prepared.room(room), rule).labels
        assert labels is not None
        source[rule] |= set(labels.source.tolist())
    assert source["truth"] == {LabelSource.TRUTH}
    assert LabelSource.NONE in source["none"]
    assert LabelSource.RULE in source["smallest_box"]
    assert LabelSource.GP in source["gp"]


def test_rooms_to_be_judged_on_carry_no_labels(prepared: Folder) -> None:
    with np.load(prepared.room("room_0010")) as stored:
        assert {name.partition("/")[0] for name in stored.files} == {"scene", "superpoints"}


def test_a_prepared_folder_is_left_alone(prepared: Folder, configuration: str) -> None:
    before = prepared.room("room_0007").stat().st_mtime_ns
    assert not prepare(configuration, prepared, (0, 1))
    assert prepared.room("room_0007").stat().st_mtime_ns == before


def test_another_experiment_is_refused(prepared: Folder, configuration: str, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"seeds is \[0, 1\] there, \[0\] now"):
        prepare(configuration, prepared, (0,))
    other = tmp_path / "other.yaml"
    other.write_text(f"base: {configuration}\ntraining: {{steps: 9}}\n")
    with pytest.raises(ExperimentError, match=r"training.steps is 3 there, 9 now\nName another folder"):
        prepare(str(other), prepared, (0, 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("posteriors: {engine: laplace}", "posteriors.engine has to be graph"),
        ("training: {network: null}", "set training.network"),
        ("training: {precision: 16-mixed}", "training.precision has to be"),
        ("splits: {val: []}", "splits.val has to name rooms"),
    ],
)
def test_configurations_that_cannot_be_used(settings: str, words: str, configuration: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(f"base: {configuration}\n{settings}\n")
    with pytest.raises(ExperimentError, match=words):
        prepare(str(other), Folder(tmp_path / "folder"), (0,))


def test_better_labels_are_those_of_the_second_round_of_a_run(
    trained: Folder, prepared: Folder, tmp_path: Path
) -> None:
    job = SceneJob(
        "room_0007", {stage: prepared.run / stage / "room_0007" for stage in ("scenes", "superpoints")}, seed=7
    )
    network = trained.network(Job("gp", "none", 0))
    stages: list[tuple[str, Any]] = [
        ("inference", Inference(InferenceConfig(device="cpu"))),
        ("features", Features(FeaturesConfig())),
        ("posteriors", Posteriors(PosteriorsConfig())),
        ("pseudo_labels", PseudoLabelsStage(PseudoLabelsConfig())),
    ]
    inputs = {**job.inputs, "training": network.parent}
    for name, stage in stages:
        result = stage.run_scene(replace(job, inputs=inputs))
        commit(tmp_path / name, result, {"fingerprint": name})
        inputs[name] = tmp_path / name
    expected = PseudoLabels.open(tmp_path / "pseudo_labels")

    experiment = trained.read()
    second = first_network(Job("gp", "none", 0, ROW["gp_self_training"]), experiment, trained)
    room = read_room(trained.room("room_0007"), "gp", before_network=True)
    found = relabelled(room, experiment.configuration, second, torch.Generator().manual_seed(7), CPU)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_array_equal(found.source, expected.source)
    for name in ("mean", "variance", "probability", "uncertainty"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-5, err_msg=name)
    assert room.labels is not None
    assert not np.allclose(found.mean, room.labels.mean)


def test_second_phase_of_a_row_goes_on_from_the_first(trained: Folder, tmp_path: Path) -> None:
    folder = copied(trained, tmp_path)
    experiment = folder.read()
    first, second = Job("gp", "none", 0), Job("gp", "none", 0, ROW["gp_self_training"])
    run_job(second, experiment, folder, CPU)
    one, other = folder.result(first, experiment), folder.result(second, experiment)
    assert one is not None
    assert other is not None
    assert (one["steps"], other["steps"]) == (3, 2)
    assert [point["step"] for point in one["curve"]] == [2, 3]
    assert one["labels"] is None
    assert 0 <= other["labels"]["ap"] <= 1
    assert not same(weights(folder, first), weights(folder, second))
    assert sorted(path.name for path in folder.work(second).iterdir()) == [METRICS, "network.pt"]


def test_quality_of_labels_is_label_ap(prepared: Folder) -> None:
    experiment, job = prepared.read(), Job("truth", "none", 0)
    network = torch.nn.Linear(1, 1)
    rooms, labels = labelled_rooms(job, experiment, prepared, network, CPU)  # type: ignore[arg-type]
    truth = label_quality(rooms, labels)
    nothing = label_quality(rooms, [replace(one, mask=np.zeros_like(one.mask)) for one in labels])
    assert truth.objects == nothing.objects > 0
    assert truth.ap > 0.8
    assert nothing.ap == 0


def test_phases_of_a_seed_differ_in_their_random_numbers_and_rows_do_not(prepared: Folder) -> None:
    experiment = prepared.read()
    second = [settings_of(Job(row.labels, row.uncertainty, 1, row), experiment) for row in ROWS]
    first = settings_of(Job("gp", "kl", 1), experiment)
    assert len(set(second)) == 1
    assert (first.steps, second[0].steps) == (3, 2)
    assert len({first.seed, second[0].seed, settings_of(Job("gp", "kl", 0), experiment).seed}) == 3
    assert first.validate_every == 2


class KilledError(Exception):
    """As if the process died here."""


def test_an_interrupted_training_goes_on(trained: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, job = copied(trained, tmp_path), Job("gp", "none", 0)
    shutil.rmtree(folder.work(job))
    log, steps = Monitor.log, []

    def logged(self: Monitor, record: dict[str, Any]) -> None:
        log(self, record)
        steps.append(record["step"])
        if steps == [1, 2]:
            raise KilledError

    monkeypatch.setattr(Monitor, "log", logged)
    with pytest.raises(KilledError):
        run_job(job, folder.read(), folder, CPU)
    assert folder.result(job, folder.read()) is None
    run_job(job, folder.read(), folder, CPU)
    assert steps == [1, 2, 3]
    assert same(weights(folder, job), weights(trained, job))


def test_a_training_that_diverges_leaves_no_result(prepared: Folder, tmp_path: Path) -> None:
    folder = copied(prepared, tmp_path)
    experiment, job = folder.read(), Job("gp", "none", 0)
    experiment.configuration["training"]["learning_rate"] = 1e30
    with pytest.raises(TrainingError, match="not finite"):
        run_job(job, experiment, folder, CPU)
    assert folder.result(job, experiment) is None


def labels_by_rule(scene: Scene, superpoints: Superpoints) -> tuple[dict[Rule, PseudoLabels], BeforeNetwork]:
    def by(engine: str) -> PseudoLabels:
        config = PosteriorsConfig.model_validate({"engine": engine})
        posteriors = conclude(prepared_scene(scene, superpoints, config), config, None, [], [])
        return build_labels(scene, superpoints, posteriors, "coupling")

    found = prepared_scene(scene, superpoints, PosteriorsConfig())
    before = BeforeNetwork(found.ownership, found.view.order, found.faces, found.seed)
    return {rule: by("graph" if rule == "gp" else rule) for rule in RULES}, before


def odd_rooms(folder: Folder, prepared: Folder) -> Iterator[tuple[str, Scene, Superpoints]]:
    """A room without boxes, one without regions, one where each region is in some box of nothing."""
    names = ("room_0007", "room_0008", "room_0009")
    scenes = [read_scene(prepared.run / "scenes" / name) for name in names]
    parts = [read_superpoints(prepared.run / "superpoints" / name) for name in names]
    yield names[0], replace(scenes[0], boxes=Boxes.empty()), parts[0]
    nowhere = np.full_like(parts[1].superpoint, -1)
    none = {
        "indptr": np.zeros(1, np.int64),
        **{name: getattr(parts[1], name)[:0] for name in ("neighbor", "contacts", "affinity")},
    }
    yield names[1], scenes[1], replace(parts[1], superpoint=nowhere, **none)
    far = replace(scenes[2].boxes, corners=scenes[2].boxes.corners + np.float32(100))
    yield names[2], replace(scenes[2], boxes=far), parts[2]


@pytest.mark.parametrize("key", ["none", "truth", "gp_kl_self_training"])
def test_rooms_without_labels_or_regions_train(key: str, prepared: Folder, tmp_path: Path) -> None:
    folder, row = copied(prepared, tmp_path), ROW[key]
    for name, scene, superpoints in odd_rooms(folder, prepared):
        write_room(folder.room(name), scene, superpoints, *labels_by_rule(scene, superpoints))
    job = Job(row.labels, row.uncertainty, 0, row)
    assert job.first is not None
    for one in (job.first, job):
        run_job(one, folder.read(), folder, CPU)
    result = folder.result(job, folder.read())
    assert result is not None
    assert result["labels"]["objects"] >= 0


def test_objects_of_no_named_class_are_of_one(prepared: Folder) -> None:
    room = read_room(prepared.room("room_0007"), "truth")
    assert room.labels is not None
    nameless = replace(room, scene=replace(room.scene, class_names=()))
    labels = to_learn_from(nameless, room.labels).labels
    assert labels is not None
    assert set(labels.class_index.tolist()) == {0}


def test_trains_where_only_torch_is_installed(prepared: Folder, tmp_path: Path) -> None:
    folder = copied(prepared, tmp_path / "experiment")
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in MISSING:
        (blocked / f"{name}.py").write_text(f"raise ImportError('{name} is blocked')\n")
    command = [sys.executable, "-m", "benchmarks.experiment", "train", str(folder.path), "--device", "cpu"]
    done = subprocess.run(
        [*command, "--processes", "2", "--rows", "gp_self_training", "--seeds", "1"],
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, "PYTHONPATH": str(blocked)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.partition(": ")[0] for line in done.stdout.splitlines()] == [
        "0 of 2 trainings are done",
        "first phase on labels gp, uncertainty none, seed 1",
        "GP + self-training, seed 1",
    ]
    table = rendered(figures_of(folder))
    assert next(line for line in table.splitlines() if line.startswith("| GP + self-training |")).endswith("| 1 of 2 |")
    log = (folder.work(Job("gp", "none", 1)) / "log.txt").read_text()
    assert log.startswith("step 2 of 3, ")
    assert json.loads((folder.path / "results" / "first-gp-none-1.json").read_text())["steps"] == 3
