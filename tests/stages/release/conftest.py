"""A small run that releases are made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.cli import main

SCENES = ("room_0000", "room_0001")


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released") / "small"
    options = [f"--set={one}" for one in ("scenes.count=2", "scenes.points=1500", "splits.train=[room_0001]")]
    assert main(["run", "demo", *options, "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def run(_made: Path, tmp_path: Path) -> Path:
    """Two built-in rooms with labels, of which one is for training; may be changed."""
    return Path(shutil.copytree(_made, tmp_path / "runs" / "small"))


@pytest.fixture
def released(run: Path, tmp_path: Path) -> Path:
    """A finished release of ``run``, without scans; may be changed."""
    to = tmp_path / "release"
    assert main(["release", str(run), "--to", str(to), "--license", "cc-by-4.0"]) == 0
    return to
