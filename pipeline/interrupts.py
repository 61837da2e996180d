"""Being asked to stop: SIGTERM, as schedulers and service managers send it, ends a run as cleanly as Ctrl-C does."""

from __future__ import annotations

import signal
from types import FrameType

CTRL_C, SIGTERM = 130, 143
"""exit codes, as shells give them"""


class Terminated(KeyboardInterrupt):
    """SIGTERM arrived."""


def exit_code(stop: KeyboardInterrupt) -> int:
    """The exit code of a command that was stopped."""
    return SIGTERM if isinstance(stop, Terminated) else CTRL_C


def terminate_like_interrupt() -> None:
    """From now on SIGTERM raises Terminated in the main thread; a second one ends the process at once."""
    signal.signal(signal.SIGTERM, _raise)


def _raise(number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated
