"""Runs that several tests read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.browser import launched
from tests.end_to_end.command import ROOMS, Measured, measure

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """One run on ``ROOMS`` that nothing interrupted; its output is not to be changed."""
    return measure(ROOMS, tmp_path_factory.mktemp("undisturbed"))


@pytest.fixture(scope="session")
def undisturbed(measured: Measured) -> Path:
    """The output of ``measured``."""
    return measured.output


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for all tests that want one."""
    with launched() as browser:
        yield browser
