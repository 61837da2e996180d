"""Processes that tests start, and what they leave behind."""

from __future__ import annotations

import os
import time

import pytest


def wait_for_the_end_of_group(group: int) -> None:
    """Python's own helper of multiprocessing ends a moment after its parent; everything else is gone before."""
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived the run")
