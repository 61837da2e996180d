"""The commands of README's "On a cluster", run as they stand there, on a real SLURM."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.command import differences

README = Path(__file__).parents[2] / "README.md"
MY_CONFIGURATION = "base: demo\nscenes: {count: 3, points: 1500}\n"
PATIENCE_SECONDS = 120.0
pytestmark = [pytest.mark.slurm, pytest.mark.usefixtures("slurm"), pytest.mark.timeout(900)]


def _blocks() -> tuple[list[str], str]:
    """The commands and the YAML file of the section."""
    section = README.read_text().partition("\n## On a cluster\n")[2].partition("\n## ")[0]
    commands = re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    file = re.search(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert commands is not None
    assert file is not None
    return commands[1].splitlines(), file[1]


def _say(line: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, f"{line}\n{ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


def _wait_for_jobs(folder: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True).stdout:
        assert time.monotonic() < until, "jobs do not end"
        time.sleep(0.5)


def test_every_command_does_what_it_says(tmp_path: Path) -> None:
    commands, cluster = _blocks()
    (tmp_path / "my.yaml").write_text(MY_CONFIGURATION)
    (tmp_path / "cluster.yaml").write_text(cluster)
    output, reference = tmp_path / "outputs" / "my", tmp_path / "reference"
    said = {}
    for line in commands:
        starts = re.match(r"boxgp (run|submit) ", line) is not None
        if starts:
            shutil.rmtree(output, ignore_errors=True)
        said[line] = _say(line, tmp_path)
        if starts and "--dry-run" in line:
            assert not (output / "submissions").exists()
        elif starts:
            _wait_for_jobs(tmp_path)
            if not reference.exists():
                shutil.copytree(output, reference)
            assert differences(output, reference) == [], line
    assert len(said) == 9
    told = {line.partition(" #")[0].rstrip(): text for line, text in said.items()}
    assert "dashboard: http://" in told["boxgp run my.yaml --executor dask --workers 4"]
    assert "#SBATCH --partition" in told["boxgp submit my.yaml --executor cluster.yaml --dry-run"]
    assert re.search(r"^posteriors +3 +0 +0 +0", told["boxgp status outputs/my"], re.MULTILINE)
    assert "regions by source" in told["boxgp stats outputs/my"]
