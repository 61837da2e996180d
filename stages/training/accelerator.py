"""Where the loop computes: on which devices and in which precision, by torch alone or by Lightning Fabric."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from typing_extensions import override

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32", "bf16-mixed", "16-mixed"]
Losses = Mapping[str, Tensor]
_PATIENCE = timedelta(hours=6)
"""For so long the other processes wait for the first one, which validates."""


class Accelerator(ABC):
    """All that the loop needs of where it runs; what is not abstract is right for one process."""

    rank: int = 0
    """number of this process, 0..``processes`` - 1"""
    processes: int = 1
    """how many train together"""
    skips: bool = False
    """True where a step whose gradient overflows is left out and the next ones are scaled down (16-mixed)"""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    @abstractmethod
    def prepare(self, network: nn.Module, optimizer: Optimizer) -> None:
        """Moves the network to the device; called once, before everything below."""

    @abstractmethod
    def add_gradients(self, losses: Callable[[], Losses], share: float, *, last: bool) -> Losses:
        """What ``losses`` gives; adds ``share`` times the gradient of its ``total``, averaged over the processes.

        ``losses`` calls the prepared network, in the precision chosen. ``last``: ``clip`` and ``step`` come next.
        """

    @abstractmethod
    def clip(self, limit: float) -> float:
        """Scales the gradient down to the norm ``limit``; gives the norm before, which may be NaN or infinite."""

    @abstractmethod
    def step(self) -> None:
        """Changes the weights by the gradient, and forgets it."""

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes."""
        return values

    def gather(self, words: Sequence[str]) -> list[str]:
        """The words of all processes."""
        return list(words)

    def wait(self) -> None:
        """Returns when all processes have come here."""
        return

    def state(self) -> dict[str, Any]:
        """What a checkpoint has to keep of the scale of the gradients."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:  # noqa: ARG002 (nothing to go on from)
        """Goes on from a ``state``."""
        return


class OneDevice(Accelerator):
    """One device, by torch alone; 16-mixed needs Fabric."""

    def __init__(self, device: torch.device, precision: Literal["32", "bf16-mixed"] = "32") -> None:
        super().__init__(device)
        self._mixed = precision == "bf16-mixed"

    @override
    def prepare(self, network: nn.Module, optimizer: Optimizer) -> None:
        network.to(self.device)
        self._optimizer = optimizer

    @override
    def add_gradients(self, losses: Callable[[], Losses], share: float, *, last: bool) -> Losses:
        with torch.autocast(self.device.type, torch.bfloat16) if self._mixed else nullcontext():
            found = losses()
        (found["total"] * share).backward()
        return found

    @override
    def clip(self, limit: float) -> float:
        parameters = chain.from_iterable(group["params"] for group in self._optimizer.param_groups)
        return float(nn.utils.clip_grad_norm_(parameters, limit))

    @override
    def step(self) -> None:
        self._optimizer.step()
        self._optimizer.zero_grad()


class Lightning(Accelerator):
    """One or several devices, by Lightning Fabric."""

    def __init__(self, made: Fabric) -> None:
        super().__init__(made.device)
        self._fabric = made
        self.rank = made.global_rank
        self.processes = made.world_size
        self.skips = getattr(made.strategy.precision, "scaler", None) is not None

    @override
    def prepare(self, network: nn.Module, optimizer: Optimizer) -> None:
        self._module, self._optimizer = self._fabric.setup(_Calls(network), optimizer)

    @override
    def add_gradients(self, losses: Callable[[], Losses], share: float, *, last: bool) -> Losses:
        with self._fabric.no_backward_sync(self._module, enabled=not last):
            found: Losses = self._module(losses)
            self._fabric.backward(found["total"] * share)
        return found

    @override
    def clip(self, limit: float) -> float:
        norm = self._fabric.clip_gradients(self._module, self._optimizer, max_norm=limit, error_if_nonfinite=False)
        return float("nan" if norm is None else norm)

    @override
    def step(self) -> None:
        self._optimizer.step()
        self._optimizer.zero_grad()

    @override
    def mean(self, values: Tensor) -> Tensor:
        found = self._fabric.all_reduce(values, reduce_op="mean")
        return torch.as_tensor(found)

    @override
    def gather(self, words: Sequence[str]) -> list[str]:
        if self.processes == 1:
            return list(words)
        found: list[list[str]] = [[] for _ in range(self.processes)]
        torch.distributed.all_gather_object(found, list(words))
        return list(chain.from_iterable(found))

    @override
    def wait(self) -> None:
        self._fabric.barrier()

    @override
    def state(self) -> dict[str, Any]:
        return self._fabric.strategy.precision.state_dict()

    @override
    def load_state(self, state: Mapping[str, Any]) -> None:
        self._fabric.strategy.precision.load_state_dict(dict(state))


class _Calls(nn.Module):
    """Has a network and calls what it is given, so that Fabric need not look into batches and predictions."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, losses: Callable[[], Losses]) -> Losses:
        return losses()


def choose_device(device: Device, devices: int = 1, *, section: str = "training") -> Literal["cpu", "cuda"]:
    """``auto``: GPUs where there are any. Raises ValueError where there are fewer GPUs than ``devices``.

    ``section`` of the configuration is the one that asks for them.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    chosen: Literal["cpu", "cuda"] = "cpu" if device == "cpu" or (device == "auto" and not gpus) else "cuda"
    if chosen == "cuda" and gpus < devices:
        several = ", or training.devices to 1. Workers have one GPU each: for several run with --workers 0"
        raise ValueError(
            f"{devices} GPU{'s' * (devices > 1)} wanted, {gpus} found (CUDA_VISIBLE_DEVICES: "
            f"{os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}); set {section}.device to auto or cpu"
            f"{several if devices > 1 else ''}"
        )
    return chosen


def fabric(device: Literal["cpu", "cuda"], precision: Precision = "32", devices: int = 1) -> Lightning:
    """An accelerator of Lightning Fabric; several devices: in each of the processes that torchrun has started.

    Raises ValueError for 16-mixed on a CPU.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    if precision == "16-mixed" and device == "cpu":
        raise ValueError("precision 16-mixed needs a GPU: use bf16-mixed or 32 on a CPU")
    made = Fabric(
        accelerator=device,
        devices=devices,
        strategy="auto" if devices == 1 else DDPStrategy(find_unused_parameters=True, timeout=_PATIENCE),
        precision="32-true" if precision == "32" else precision,
        # left to itself, Fabric takes a job of a queue for one of several processes
        plugins=[LightningEnvironment() if devices == 1 else TorchElasticEnvironment()],
    )
    made.launch()
    return Lightning(made)
