"""What all benchmarks share: seconds, tables, the machine, JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass
class Seconds:
    """Wall clock and processor time of a block; on a shared machine the second is the one that repeats."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def timed() -> Iterator[Seconds]:
    """Seconds of the block, filled in at its end."""
    seconds = Seconds()
    wall, cpu = time.perf_counter(), time.process_time()
    yield seconds
    seconds.wall, seconds.cpu = time.perf_counter() - wall, time.process_time() - cpu


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column to the left, the others to the right."""
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None or value != value else f"{value:,.{digits}f}"  # noqa: PLR0124 (NaN)


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[0],
        "torch": torch.__version__,
        "python": platform.python_version(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def described(found: dict[str, Any]) -> str:
    """The machine in one line."""
    gpu = f"; {found['gpu']}" if found["gpu"] else ""
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['threads']} thread, load {found['load_average']:.1f}; "
        f"torch {found['torch']}, Python {found['python']}{gpu}"
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Figures and machine, if a file was asked for."""
    if path is not None:
        path.write_text(json.dumps({"machine": machine(), **figures}, indent=1) + "\n")
