import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.training.checkpoint import BEFORE, BEST, LAST, Checkpoint, Checkpoints, TrainedNetwork, read_network
from tests.stages.training.toy_training import same

SETTINGS = {"steps": 9, "network": "toy"}


def checkpoint(step: int) -> Checkpoint:
    weights = torch.full((1000,), float(step))
    optimizer = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    history = [{"step": 1, "train": {"loss": 0.1 + 0.2}, "val": {"AP": float("inf")}}]
    return Checkpoint(step, {"weight": weights}, optimizer, {"scale": 2.0}, history, {"step": 1, "AP": 0.3})


def steps(folder: Path, settings: dict[str, Any] = SETTINGS) -> tuple[int | None, list[str]]:
    """Which checkpoint is the last one, and why others are not used."""
    checkpoints = Checkpoints(folder, settings)
    found = checkpoints.last()
    return None if found is None else found.step, checkpoints.refused


def saved(folder: Path, *numbers: int) -> Checkpoints:
    checkpoints = Checkpoints(folder, SETTINGS)
    for number in numbers:
        checkpoints.save(checkpoint(number))
    return checkpoints


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    found = saved(tmp_path / "new", 1).last()
    assert found is not None
    assert same(vars(found), vars(checkpoint(1)))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1, 2, 3)
    assert steps(tmp_path) == (3, [])
    (tmp_path / LAST).unlink()
    assert steps(tmp_path) == (2, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEFORE]
    assert checkpoints.best() is None


def test_the_best_is_apart(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path, 1)
    assert checkpoints.best() is None
    checkpoints.save_best(checkpoint(2))
    checkpoints.save(checkpoint(3))
    best = checkpoints.best()
    assert best is not None
    assert best.step == 2
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEFORE, BEST}


def test_no_checkpoint(tmp_path: Path) -> None:
    assert steps(tmp_path / "missing") == (None, [])


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_torn_checkpoint_gives_way_to_the_one_before(tmp_path: Path, share: float) -> None:
    saved(tmp_path, 1, 2)
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(content[: int(share * len(content))])
    step, refused = steps(tmp_path)
    assert step == 1
    assert len(refused) == 1
    assert f"{tmp_path / LAST} is not used: last.pt is torn" in refused[0]


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2)
    content = bytearray((tmp_path / LAST).read_bytes())
    content[content.index(torch.full((1000,), 2.0).numpy().tobytes()) + 2000] ^= 1
    (tmp_path / LAST).write_bytes(bytes(content))
    step, refused = steps(tmp_path)
    assert step == 1
    assert "is damaged in" in refused[0]


class _Attack:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("attacked"),))


@pytest.mark.parametrize("content", [{"weight": torch.zeros(2)}, [1], {"format": "boxgp.network.1"}, _Attack()])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / LAST)
    step, refused = steps(tmp_path)
    assert step is None
    assert "last.pt is no" in refused[0]
    assert not Path("attacked").exists()


def test_a_checkpoint_without_its_parts_is_refused(tmp_path: Path) -> None:
    torch.save({"format": "boxgp.checkpoint.1", "settings": SETTINGS, "history": "[]", "step": 4}, tmp_path / LAST)
    step, refused = steps(tmp_path)
    assert step is None
    assert "network" in refused[0]


def test_other_settings(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    step, refused = steps(tmp_path, {"steps": 10, "network": "toy", "seed": 1})
    assert step is None
    assert refused[0].endswith("it was made under other settings (seed None instead of 1, steps 9 instead of 10)")


def test_a_full_disk_leaves_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = saved(tmp_path, 1)

    def write_bytes(path: Path, content: bytes) -> int:
        path.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(checkpoint(2))
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert steps(tmp_path) == (1, [])


def test_network_file(tmp_path: Path) -> None:
    network = TrainedNetwork("spformer", {"layers": 3}, ("chair", "table"), {"weight": torch.ones(3)}, 80)
    path = tmp_path / "network.pt"
    path.write_bytes(network.to_bytes())
    found = read_network(path)
    assert same(vars(found), vars(network))
    assert replace(network).to_bytes() == network.to_bytes()
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"network\.pt is torn"):
        read_network(path)
