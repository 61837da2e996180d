"""Checkpoints of a training, from which it goes on after any interruption, and the file of a trained network."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

FORMAT = "boxgp.checkpoint.1"
NETWORK_FORMAT = "boxgp.network.1"
LAST = "last.pt"
BEFORE = "before_last.pt"
BEST = "best.pt"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that a training needs to go on. Its random numbers are functions of seed and step, so none are kept."""

    step: int
    """steps done"""
    network: Mapping[str, Tensor]
    optimizer: Mapping[str, Any] = field(default_factory=dict)
    precision: Mapping[str, Any] = field(default_factory=dict)
    """state of the accelerator"""
    history: Sequence[Mapping[str, Any]] = ()
    """what was measured in each step"""
    best: Mapping[str, float | int] = field(default_factory=dict)
    """what was measured where validation was best, and ``step``"""


class Checkpoints:
    """The checkpoints in a folder: the last one, the one before it, and the best one.

    ``settings`` (plain values) are all that the training depends on: a checkpoint made under others is not used. A
    file appears whole or not at all; it is not forced onto the disk, since the one before it certainly is there.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.refused: list[str] = []
        """why checkpoints that are there are not used, in words"""
        self._settings: dict[str, Any] = json.loads(json.dumps(settings))

    def save(self, checkpoint: Checkpoint) -> None:
        """Keeps ``checkpoint`` as the last one. Raises OSError where it cannot be written; others stay as they are."""
        last = self.folder / LAST
        temporary = self._write(last, checkpoint)
        if last.exists():
            last.replace(self.folder / BEFORE)
        temporary.replace(last)

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Keeps ``checkpoint`` as the best one. Raises OSError where it cannot be written."""
        best = self.folder / BEST
        self._write(best, checkpoint).replace(best)

    def last(self) -> Checkpoint | None:
        """The last checkpoint, else the one before it; None where neither can be used."""
        return self._read(self.folder / LAST) or self._read(self.folder / BEFORE)

    def best(self) -> Checkpoint | None:
        """The best checkpoint, None where none can be used."""
        return self._read(self.folder / BEST)

    def _write(self, path: Path, checkpoint: Checkpoint) -> Path:
        """A temporary sibling of ``path``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {one.name: getattr(checkpoint, one.name) for one in fields(checkpoint)}
        content["history"] = json.dumps(checkpoint.history)  # a million numbers: as text in a fraction of the time
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(_packed({"format": FORMAT, "settings": self._settings, **content}))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _read(self, path: Path) -> Checkpoint | None:
        """The checkpoint in a file, None where there is none or it cannot be used; then ``refused`` says why."""
        if not path.exists():
            return None
        try:
            content = _unpacked(path, FORMAT)
            settings = content.pop("settings")
            checkpoint = Checkpoint(**{**content, "history": json.loads(content["history"])})
        except (ValueError, KeyError, TypeError) as error:
            self.refused.append(f"{path} is not used: {error}")
            return None
        if settings != self._settings:
            changed = ", ".join(_changes(settings, self._settings))
            self.refused.append(f"{path} is not used: it was made under other settings ({changed})")
            return None
        return checkpoint


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network that has been trained, apart from its code."""

    name: str
    """as in the configuration: built-in, or where its class is found"""
    options: Mapping[str, Any]
    class_names: Sequence[str]
    weights: Mapping[str, Tensor]
    step: int
    """steps that it was trained for"""

    def to_bytes(self) -> bytes:
        """The content of a file from which ``read_network`` gives the same."""
        content = {one.name: getattr(self, one.name) for one in fields(self)}
        return _packed({"format": NETWORK_FORMAT, **content, "class_names": list(self.class_names)})


def read_network(path: Path) -> TrainedNetwork:
    """The trained network in a file; raises ValueError for a torn file or one of something else."""
    return TrainedNetwork(**_unpacked(path, NETWORK_FORMAT))


def _packed(content: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    return buffer.getvalue()


def _unpacked(path: Path, expected: str) -> dict[str, Any]:
    """What ``_packed`` has stored, on the CPU; nothing in the file is run."""
    try:
        with ZipFile(path) as entries:
            torn = entries.testzip()  # torch does not look at the checksums
        if torn is not None:
            raise ValueError(f"{path.name} is damaged in {torn}")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, BadZipFile, RuntimeError, UnpicklingError, EOFError) as error:
        raise ValueError(f"{path.name} is torn, or no file of torch ({error})") from error
    if not isinstance(content, dict) or content.pop("format", None) != expected:
        raise ValueError(f"{path.name} is no {expected}")
    return content


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Settings that differ, in words."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield f"{name} {before.get(name)} instead of {now.get(name)}"
