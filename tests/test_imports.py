"""What may be imported when: the command answers at once, and planning imports no mathematics."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from stages import PIPELINE

HEAVY = {"dask", "distributed", "gpytorch", "numba", "open3d", "scipy", "torch", "zarr"}
HELP = """
import sys
sys.argv = {arguments}
from pipeline.cli import main
try:
    sys.exit(main())
except SystemExit as end:
    if end.code:
        raise
"""


def _imported_by(statement: str) -> set[str]:
    """Top-level names of all modules that a fresh interpreter imports for ``statement``."""
    command = [sys.executable, "-X", "importtime", "-c", statement]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    messages = [line for line in completed.stderr.splitlines() if not line.startswith("import time:")]
    assert completed.returncode == 0, "\n".join(messages)
    modules = re.findall(r"^import time: .*\| +(\S+)$", completed.stderr, re.MULTILINE)
    return {module.partition(".")[0] for module in modules}


def test_imports_are_seen() -> None:
    assert "decimal" in _imported_by("import decimal")
    assert "decimal" not in _imported_by("pass")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    imported = _imported_by(HELP.format(arguments=["boxgp", *arguments]))
    assert "pipeline" in imported
    assert imported & (HEAVY | {"numpy", "pydantic"}) == set()


@pytest.mark.parametrize("path", PIPELINE)
def test_planning_imports_no_mathematics(path: str) -> None:
    module, _, name = path.partition(":")
    assert _imported_by(f"from {module} import {name}") & HEAVY == set()


def test_public_import_is_lazy() -> None:
    assert _imported_by("import boxgp") & (HEAVY | {"numpy", "pydantic"}) == set()
