import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.training.accelerator import OneDevice
from stages.training.batch import TrainingScene
from stages.training.checkpoint import Checkpoint, Checkpoints
from stages.training.loop import Settings, TrainingError, Work, train
from stages.training.monitor import Monitor
from stages.training.network import Network
from tests.stages.training.toy_network import ToyNetwork
from tests.stages.training.toy_rooms import relabelled, toy_room
from tests.stages.training.toy_training import same, toy_network, toy_scenes, toy_settings, toy_work


def trained(
    folder: Path,
    *,
    scenes: list[TrainingScene] | None = None,
    settings: Settings | None = None,
    work: Work | None = None,
    network: ToyNetwork | None = None,
    accelerator: OneDevice | None = None,
) -> Checkpoint:
    return train(
        network or toy_network(),
        scenes or toy_scenes(),
        settings or toy_settings(),
        work or toy_work(),
        accelerator or OneDevice(torch.device("cpu")),
        Checkpoints(folder, {}),
    )


def losses(checkpoint: Checkpoint, name: str = "loss") -> list[float]:
    return [record["train"][name] for record in checkpoint.history]


def noisy(scene: TrainingScene, generator: torch.Generator) -> TrainingScene:
    return replace(scene, color=scene.color + 0.1 * torch.randn(scene.color.shape, generator=generator))


def test_learns(tmp_path: Path) -> None:
    found = trained(tmp_path, settings=toy_settings(30, learning_rate=0.05))
    assert found.step == len(found.history) == 30
    assert sum(losses(found)[-5:]) < 0.7 * sum(losses(found)[:5])


def test_what_is_measured(tmp_path: Path) -> None:
    record = trained(tmp_path, settings=toy_settings(3)).history[1]
    measured = record["train"]
    assert record["step"] == 2
    assert {"loss", "bce", "dice", "class", "uncertainty", "learning_rate", "gradient_norm"} <= measured.keys()
    assert "total" not in measured
    assert measured["learning_rate"] == 3e-3
    assert measured["gradient_norm"] > 0


def test_repeats_and_depends_on_the_seed(tmp_path: Path) -> None:
    work = toy_work(prepare=noisy)
    first = trained(tmp_path / "1", work=work, network=toy_network(dropout=0.5))
    torch.rand(7)  # the loop does not depend on torch's own random numbers
    second = trained(tmp_path / "2", work=work, network=toy_network(dropout=0.5))
    assert same(vars(first), vars(second))
    third = trained(tmp_path / "3", work=work, network=toy_network(dropout=0.5), settings=toy_settings(seed=1))
    assert losses(third) != losses(first)


def test_leaves_random_numbers_of_others_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trained(tmp_path, network=toy_network(dropout=0.5))
    assert torch.equal(torch.rand(2), expected)


class LostError(Exception):
    pass


def interrupting(step: int) -> Work:
    """Stops in the middle of a step, as a lost machine would."""
    calls = 0

    def prepare(scene: TrainingScene, generator: torch.Generator) -> TrainingScene:
        nonlocal calls
        calls += 1
        if calls == step:
            raise LostError
        return noisy(scene, generator)

    return toy_work(prepare=prepare)


@pytest.mark.parametrize("step", [3, 4, 6])
def test_resumed_training_is_the_same_to_the_bit(tmp_path: Path, step: int) -> None:
    whole = trained(tmp_path / "whole", work=toy_work(prepare=noisy), network=toy_network(dropout=0.5))
    with pytest.raises(LostError):
        trained(tmp_path / "part", work=interrupting(step), network=toy_network(dropout=0.5))
    resumed = trained(tmp_path / "part", work=toy_work(prepare=noisy), network=toy_network(5, dropout=0.5))
    assert same(vars(resumed), vars(whole))


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first = trained(tmp_path)
    again = trained(tmp_path, work=interrupting(1))
    assert same(vars(again), vars(first))


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    large = trained(tmp_path / "large", settings=toy_settings(batch_size=4))
    small = trained(tmp_path / "small", settings=toy_settings(batch_size=1, accumulate=4))
    assert losses(small) == pytest.approx(losses(large), rel=1e-4)
    for name, weights in large.network.items():
        assert torch.allclose(small.network[name], weights, atol=1e-4), name


def test_gradients_are_clipped(tmp_path: Path) -> None:
    loose = trained(tmp_path / "loose", settings=toy_settings(1))
    tight = trained(tmp_path / "tight", settings=toy_settings(1, clip=1e-12, weight_decay=0.0))
    start = toy_network().state_dict()
    moved = max(float((tight.network[name] - start[name]).abs().max()) for name in start)
    assert moved < 1e-4  # Adam's own epsilon is larger than such a gradient
    assert losses(tight, "gradient_norm") == losses(loose, "gradient_norm")


def test_mixed_precision(tmp_path: Path) -> None:
    full = trained(tmp_path / "full")
    mixed = trained(tmp_path / "mixed", accelerator=OneDevice(torch.device("cpu"), "bf16-mixed"))
    assert losses(mixed) != losses(full)
    assert losses(mixed) == pytest.approx(losses(full), rel=0.05)
    assert all(weights.dtype == torch.float32 for weights in mixed.network.values())


def test_scenes_of_all_kinds(tmp_path: Path) -> None:
    """Without objects, with 200 objects, without classes, with nothing but ignored regions."""
    room = toy_room(points=20, floor=60)
    unnamed = relabelled(room, class_index=torch.full((2,), -1))
    ignored = relabelled(room, ignore=torch.ones(room.regions, dtype=torch.bool))
    scenes = [toy_room(0, floor=60), toy_room(200, points=10), unnamed, ignored]
    found = trained(tmp_path, scenes=scenes, settings=toy_settings(8))
    assert all(map(math.isfinite, losses(found)))
    together = trained(tmp_path / "together", scenes=scenes, settings=toy_settings(2, batch_size=4))
    assert all(map(math.isfinite, losses(together)))


def spoilt(scene: TrainingScene, values: str) -> TrainingScene:
    assert scene.labels is not None
    nan = torch.tensor(float("nan"))
    if hasattr(scene, values):
        return replace(scene, **{values: getattr(scene, values) + nan})
    return relabelled(scene, **{values: getattr(scene.labels, values) + nan})


def stops(folder: Path, message: str, **changes: Any) -> None:
    """A training ends with ``message`` and leaves the checkpoints as they were."""
    trained(folder, settings=toy_settings(4))
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    with pytest.raises(TrainingError, match=message) as error:
        trained(folder, settings=toy_settings(9, checkpoint_every=20), **changes)
    assert "toy0" not in str(error.value)
    assert before == sorted((path.name, path.read_bytes()) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("xyz", "coordinates"),
        ("color", "colours"),
        ("mean", "label means"),
        ("variance", "label variances"),
        ("center", "box centres"),
    ],
)
def test_what_is_not_finite_stops_with_the_name_of_the_scene(tmp_path: Path, values: str, words: str) -> None:
    scenes = toy_scenes(3)
    scenes[1] = spoilt(scenes[1], values)
    stops(tmp_path, rf"step [5-9]: scene toy1 has {words} that are not finite", scenes=scenes)


def test_a_loss_that_is_not_finite_stops_with_the_name_of_the_scene(tmp_path: Path) -> None:
    def prepare(scene: TrainingScene, generator: torch.Generator) -> TrainingScene:
        return spoilt(scene, "color") if scene.scene == "toy1" else scene

    message = r"step [5-9]: the loss is not finite, with scene toy1\. Lower the learning rate"
    stops(tmp_path, message, work=toy_work(prepare=prepare))


def test_a_gradient_that_is_not_finite_stops(tmp_path: Path) -> None:
    work = toy_work()

    def objective(*arguments: Any) -> Mapping[str, torch.Tensor]:
        found = work.objective(*arguments)
        found["total"].register_hook(lambda gradient: gradient / 0)
        return found

    with pytest.raises(TrainingError, match="step 1: the gradient is not finite, with scene toy"):
        trained(tmp_path, work=Work(objective))
    assert not list(tmp_path.iterdir())


def test_validation_and_the_best_checkpoint(tmp_path: Path) -> None:
    values = iter([float("nan"), 0.4, 0.3])

    def validate(network: Network) -> Mapping[str, float]:
        torch.rand(1)  # must not change what is learnt
        return {"AP": next(values), "AP50": 0.5}

    work = toy_work(validate=validate)
    found = trained(tmp_path, settings=toy_settings(5, validate_every=2), work=work, network=toy_network(dropout=0.5))
    assert [record["step"] for record in found.history if "val" in record] == [2, 4, 5]
    assert found.best == {"step": 4, "AP": 0.4, "AP50": 0.5}
    best = Checkpoints(tmp_path, {}).best()
    assert best is not None
    assert best.step == 4
    without = trained(tmp_path / "without", settings=toy_settings(5), network=toy_network(dropout=0.5))
    assert same(found.network, without.network)


def test_monitor_follows(tmp_path: Path) -> None:
    reports: list[tuple[int, int, str]] = []
    monitor = Monitor(tmp_path, lambda *report: reports.append(report), tensorboard=False)
    scenes, device = toy_scenes(), OneDevice(torch.device("cpu"))
    train(toy_network(), scenes, toy_settings(3), toy_work(), device, Checkpoints(tmp_path, {}), monitor)
    assert [(done, total) for done, total, _ in reports] == [(1, 3), (2, 3), (3, 3)]
    assert reports[0][2].startswith("loss ")


def test_refuses_scenes_without_labels(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="scenes without labels: toy0"):
        trained(tmp_path, scenes=[replace(toy_scenes(1)[0], labels=None)])
