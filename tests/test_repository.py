"""What is true of the repository as a whole: its package list, its sizes, its versions."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
CODE = ("benchmarks", "configs", "pipeline", "stages", "tests")
LONGEST_FILE = 400


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_module_is_in_a_listed_package(pyproject: dict[str, Any]) -> None:
    folders = {path.parent for top in ("configs", "pipeline", "stages") for path in (ROOT / top).rglob("*.py")}
    packages = sorted(".".join(folder.relative_to(ROOT).parts) for folder in folders)
    assert pyproject["tool"]["setuptools"]["packages"] == packages


def test_every_package_has_an_init_file(pyproject: dict[str, Any]) -> None:
    packages = pyproject["tool"]["setuptools"]["packages"]
    assert [package for package in packages if not (ROOT / package.replace(".", "/") / "__init__.py").is_file()] == []


def test_every_configuration_is_package_data(pyproject: dict[str, Any]) -> None:
    patterns = pyproject["tool"]["setuptools"]["package-data"]["configs"]
    shipped = {path for pattern in patterns for path in (ROOT / "configs").glob(pattern)}
    assert set((ROOT / "configs").rglob("*.y*ml")) == shipped


def test_files_stay_readable() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
    }
    assert lengths
    assert {path: length for path, length in lengths.items() if length > LONGEST_FILE} == {}


def test_changelog_starts_with_this_version(pyproject: dict[str, Any]) -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == pyproject["project"]["version"]


def test_every_direct_dependency_is_pinned(pyproject: dict[str, Any]) -> None:
    project = pyproject["project"]
    optional = [line for extra in project["optional-dependencies"].values() for line in extra]
    required = {_name(line) for line in [*project["dependencies"], *optional]}
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert required - {_name(line) for line in lines} == set()


def _name(requirement: str) -> str:
    """The normalised name of ``requirement`` (PEP 503)."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()
