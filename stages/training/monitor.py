"""What is written down of a training: a line of JSON a step, scalars for TensorBoard, and how far it is."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"
EVENTS = "events.out.tfevents.*"
_SECONDS_BETWEEN_WRITES = 10

Record = Mapping[str, Any]
"""``step`` counted from 1; ``train`` and, after a validation, ``val``: name -> number"""
Report = Callable[[int, int, str], None]
"""steps done, steps altogether, a few words"""


class Monitor:
    """Writes ``metrics.jsonl`` and TensorBoard's event files into a folder, and reports.

    ``tensorboard=False`` leaves the event files out; they need the package of that name.
    """

    def __init__(self, folder: Path, report: Report | None = None, *, tensorboard: bool = True) -> None:
        self._folder = folder
        self._report = report
        self._tensorboard = tensorboard
        self._events: SummaryWriter | None = None
        self._steps = 0
        self._validated = ""

    def begin(self, history: Sequence[Record], steps: int) -> None:
        """A training of so many steps goes on after ``history``: what was written beyond that is taken back."""
        self._steps = steps
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / METRICS
        temporary = path.with_name(f".{METRICS}.{os.getpid()}.tmp")
        temporary.write_text("".join(map(_line, history)), encoding="utf-8")
        temporary.replace(path)
        if self._tensorboard:
            self._events = _event_writer(self._folder, len(history))

    def log(self, record: Record) -> None:
        """A step was made."""
        with (self._folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(_line(record))
        if self._events is not None:
            for kind in ("train", "val"):
                for name, value in record.get(kind, {}).items():
                    self._events.add_scalar(f"{kind}/{name}", value, record["step"])
        if "val" in record:
            self._validated = "".join(f", {name} {value:.3f}" for name, value in record["val"].items())
        if self._report is not None:
            self._report(record["step"], self._steps, f"loss {record['train']['loss']:.3f}{self._validated}")

    def close(self) -> None:
        """Writes what TensorBoard has not written yet."""
        if self._events is not None:
            self._events.close()


def _line(record: Record) -> str:
    """JSON has no word for what is not a number."""
    plain = {
        name: value if name == "step" else {key: one if math.isfinite(one) else None for key, one in value.items()}
        for name, value in record.items()
    }
    return json.dumps(plain, allow_nan=False) + "\n"


def _event_writer(folder: Path, done: int) -> SummaryWriter:
    from torch.utils.tensorboard import SummaryWriter

    # readers drop what an interrupted training has written from the purge step on
    return SummaryWriter(str(folder), purge_step=done + 1, flush_secs=_SECONDS_BETWEEN_WRITES)
