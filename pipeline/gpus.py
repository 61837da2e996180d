"""Which GPUs this process may use, found without torch: planning and starting workers must not load it."""

from __future__ import annotations

import os
import subprocess

_QUESTION = ("nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader")
_PATIENCE_SECONDS = 20


def visible_gpus() -> tuple[str, ...]:
    """The GPUs as ``CUDA_VISIBLE_DEVICES`` names them: those of that variable if it is set, else those of nvidia-smi.

    Empty where there is none.
    """
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return _of_driver() if allowed is None else _of_variable(allowed)


def _of_variable(allowed: str) -> tuple[str, ...]:
    """CUDA reads the list up to the first entry that is no device; queues write -1 or NoDevFiles for none."""
    found: list[str] = []
    for entry in (part.strip() for part in allowed.split(",")):
        if not (entry.isdecimal() or entry.startswith(("GPU-", "MIG-"))):
            break
        found.append(entry)
    return tuple(found)


def _of_driver() -> tuple[str, ...]:
    try:
        answer = subprocess.run(_QUESTION, capture_output=True, text=True, check=True, timeout=_PATIENCE_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ()
    return _of_variable(",".join(answer.stdout.split()))
