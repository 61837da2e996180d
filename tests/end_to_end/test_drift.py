"""Two rounds of the real command: drift is shown, and a usual second round raises no alarm."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.command import boxgp, completed

TINY = (
    "selftrain_demo",
    *("--set", "scenes.count=3", "--set", "scenes.points=1500", "--set", "splits.val=[room_0002]"),
    *("--set", "training.steps=4", "--set", "training.later_steps=2", "--set", "training.options.widths=[4, 8]"),
    *("--set", "training.options.width=8", "--set", "training.options.layers=1"),
)


def test_a_usual_second_round_raises_no_alarm(tmp_path: Path) -> None:
    ended = completed("run", *TINY, "--output", "out", cwd=tmp_path)
    assert "look like a collapse" not in ended.out
    first, second = (
        json.loads((tmp_path / "out" / f"round_{number:02d}" / "summary" / "summary.json").read_text())["drift"]
        for number in range(2)
    )
    assert first is None
    assert second["objects"] > 10
    assert second["mostly_lost"] <= 1
    assert second["changed"] < 0.1
    assert "drift between rounds" in ended.out
    again = completed("plan", *TINY, "--output", "out", cwd=tmp_path)
    assert again.out.startswith("0 of ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("training.options.foo=1", "training.options: network spformer has no option 'foo'. Valid: voxel_size"),
        ("training.options.width=wide", "training.options: option 'width' of network spformer: 'wide' given"),
        ("training.network=./missing.py:Net", "missing.py does not exist"),
        ("training.network=spformr", "did you mean spformer?"),
        ("splits.val=[nowhere]", "no scene of splits.val exists: nowhere"),
    ],
)
def test_what_training_would_refuse_is_told_at_once(line: str, words: str, tmp_path: Path) -> None:
    ended = boxgp("run", *TINY, "--set", line, "--output", "out", cwd=tmp_path)
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "out" / "scenes").exists()


def test_a_run_without_a_network_imports_no_torch(tmp_path: Path) -> None:
    code = "import sys; from pipeline.cli import main; main(['plan', 'demo']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, timeout=100).returncode == 0
