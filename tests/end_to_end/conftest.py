"""Runs that several tests read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.command import ROOMS, Measured, measure


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """One run on ``ROOMS`` that nothing interrupted; its output is not to be changed."""
    return measure(ROOMS, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def undisturbed(measured: Measured) -> Path:
    """The output of ``measured``."""
    return measured.output
