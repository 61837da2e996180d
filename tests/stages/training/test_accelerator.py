from pathlib import Path

import pytest
import torch

from stages.training.accelerator import Accelerator, Lightning, OneDevice, Precision, choose_device, fabric
from stages.training.checkpoint import Checkpoint, Checkpoints
from stages.training.loop import train
from tests.stages.training.toy_training import same, toy_network, toy_scenes, toy_settings, toy_work

CPU = torch.device("cpu")


def trained(folder: Path, accelerator: Accelerator) -> Checkpoint:
    settings = toy_settings(4, batch_size=1, accumulate=2)
    return train(toy_network(), toy_scenes(), settings, toy_work(), accelerator, Checkpoints(folder, {}))


def test_fabric_trains_as_torch_alone(tmp_path: Path) -> None:
    ours, theirs = trained(tmp_path / "ours", OneDevice(CPU)), trained(tmp_path / "theirs", fabric("cpu"))
    assert same(vars(ours), vars(theirs))


def test_fabric_in_mixed_precision(tmp_path: Path) -> None:
    ours = trained(tmp_path / "ours", OneDevice(CPU, "bf16-mixed"))
    theirs = trained(tmp_path / "theirs", fabric("cpu", "bf16-mixed"))
    assert same(vars(ours), vars(theirs))


def test_fabric_in_a_job_of_a_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fabric would take the job's four tasks for four processes that train together."""
    for name, value in {
        "SLURM_NTASKS": "4",
        "SLURM_JOB_NAME": "boxgp",
        "SLURM_PROCID": "2",
        "SLURM_LOCALID": "2",
    }.items():
        monkeypatch.setenv(name, value)
    made = fabric("cpu")
    assert (made.rank, made.processes) == (0, 1)
    assert isinstance(made, Lightning)
    assert made.gather(["one", "two"]) == ["one", "two"]
    assert made.mean(torch.tensor([2.0])).tolist() == [2.0]


def test_half_precision_needs_a_gpu() -> None:
    with pytest.raises(ValueError, match="16-mixed needs a GPU"):
        fabric("cpu", "16-mixed")


@pytest.mark.parametrize(("gpus", "expected"), [(2, "cuda"), (0, "cpu")])
def test_device(monkeypatch: pytest.MonkeyPatch, gpus: int, expected: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert choose_device("auto", max(gpus, 1)) == expected
    assert choose_device("cpu", 4) == "cpu"
    words = (
        rf"3 GPUs wanted, {gpus} found \(CUDA_VISIBLE_DEVICES: 0,1\); set training\.device to auto or cpu, or training"
    )
    with pytest.raises(ValueError, match=words):
        choose_device("cuda", 3)


def test_a_section_that_wants_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"1 GPU wanted, 0 found \(.*\); set inference\.device to auto or cpu$"):
        choose_device("cuda", section="inference")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_on_a_gpu(tmp_path: Path, precision: Precision) -> None:
    made = fabric("cuda", precision)
    assert made.skips == (precision == "16-mixed")
    found = trained(tmp_path / "gpu", made)
    expected = trained(tmp_path / "cpu", OneDevice(CPU)).history[0]["train"]["loss"]
    assert found.history[0]["train"]["loss"] == pytest.approx(expected, rel=0.05)
    assert found.precision == made.state()
    again = trained(tmp_path / "gpu", fabric("cuda", precision))
    assert again.history == found.history
