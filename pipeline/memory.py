"""Peak memory of this process, for one task where the system can forget the peak before it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Literal

MemoryScope = Literal["task", "process"]
_FORGET_PEAK = "5"


class PeakMemory:
    """The largest resident memory since ``reset``; since the start of the process where Linux's reset does not work."""

    def __init__(self) -> None:
        self.scope: MemoryScope = "process"
        self.reset()

    def reset(self) -> None:
        """Starts anew."""
        try:
            Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
            self.scope = "task"
        except OSError:
            self.scope = "process"

    def bytes(self) -> int:
        """The peak in bytes."""
        if self.scope == "task":
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
