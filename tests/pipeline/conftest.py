"""Lets tests and worker processes import ``toy_stages`` by name, and gives tests a small data set."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from toy_stages import Toy, complete, plan_of


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """Three scenes in a folder of their own."""
    toy = Toy(tmp_path)
    toy.write()
    return toy


@pytest.fixture
def done(toy: Toy) -> Toy:
    """A data set whose run is complete."""
    complete(plan_of(toy))
    return toy


@pytest.fixture
def config_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and one built-in configuration, `demo`."""
    builtins = tmp_path / "builtins"
    builtins.mkdir()
    (builtins / "demo.yaml").write_text("seed: 7\nscans: {source: rooms, count: 2, noise: 0.5}\nlabels: {steps: 3}\n")
    (builtins / "paper.yaml").write_text("base: demo\nlabels: {engine: regression}\n")
    monkeypatch.setattr("importlib.resources.files", lambda package: {"configs": builtins}[package])
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    return current
