"""The processes of the experiment: their order, what fails, and that none outlives the command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.experiment import processes
from benchmarks.experiment.rows import Job, chosen_rows, jobs_of
from benchmarks.experiment.settings import Experiment, ExperimentError, Folder

ROOT = Path(__file__).parent.parent.parent
CONFIGURATION = {"training": {"steps": 4, "later_steps": None}}
EXPERIMENT = Experiment(CONFIGURATION, (0, 1), ("chair",), ("r0",), ("r1",))
Commands = Callable[[Job, Folder, str], list[str]]


def ends(code: str) -> Commands:
    """Every training is a few lines of Python, which know its name as ``name``."""

    def command(job: Job, folder: Folder, device: str) -> list[str]:
        assert device == "cpu"
        return [sys.executable, "-c", f"name = {job.name!r}; folder = {str(folder.path)!r}\n{code}"]

    return command


SUCCEEDS = f"""
import json, pathlib
folder = pathlib.Path(folder)
with (folder / "order").open("a") as file:
    file.write(name + "\\n")
(folder / "work" / name / "network.pt").touch()
result = {{"settings": {EXPERIMENT.digest!r}, "ap": 0.5, "ap50": None, "seconds": 6}}
(folder / "results").mkdir(exist_ok=True)
(folder / "results" / (name + ".json")).write_text(json.dumps(result))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.write(EXPERIMENT)
    return found


def trainings(folder: Folder) -> processes.Trainings:
    jobs = jobs_of(chosen_rows(["gp", "gp_kl", "gp_self_training"]), (0, 1))
    return processes.Trainings(folder, EXPERIMENT, jobs, "cpu")


def test_second_phases_start_when_their_first_is_done(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "command_of", ends(SUCCEEDS))
    assert trainings(folder).run(1)
    assert (folder.path / "order").read_text().split() == [
        "first-gp-none-0",
        "first-gp-kl-0",
        "first-gp-none-1",
        "first-gp-kl-1",
        "second-gp-0",
        "second-gp_self_training-0",
        "second-gp_kl-0",
        "second-gp-1",
        "second-gp_self_training-1",
        "second-gp_kl-1",
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "0 of 10 trainings are done"
    line = (
        "first phase on labels gp, uncertainty none, seed 0: AP 0.500, AP50 -, 0.1 min; 1 of 10 done, about 1 min left"
    )
    assert lines[1] == line


def test_what_is_done_is_kept(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "command_of", ends(SUCCEEDS))
    trainings(folder).run(2)
    (folder.path / "results" / "second-gp_kl-1.json").unlink()
    (folder.path / "order").unlink()
    assert trainings(folder).run(2)
    assert (folder.path / "order").read_text().split() == ["second-gp_kl-1"]
    assert "9 of 10 trainings are done" in capsys.readouterr().out


def test_a_failure_is_told_and_the_others_go_on(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = "if name == 'first-gp-none-1':\n  print('no memory')\n  raise SystemExit(3)\n"
    monkeypatch.setattr(processes, "command_of", ends(fails + SUCCEEDS))
    assert not trainings(folder).run(2)
    done = (folder.path / "order").read_text().split()
    assert len(done) == 7
    assert not {"second-gp-1", "second-gp_self_training-1"} & set(done)
    told = capsys.readouterr().out
    assert "uncertainty none, seed 1: failed (exit code 3); " in told
    assert "log.txt ends with\n  no memory\n" in told
    assert "GP, seed 1: not trained, since its first phase failed" in told


def test_ending_without_a_result_is_a_failure(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "command_of", ends("pass"))
    assert not trainings(folder).run(2)
    assert capsys.readouterr().out.count("failed (exit code 0)") == 4


SLEEPS = """
import os, pathlib, threading, time
from benchmarks.experiment.processes import end_with_parent
threading.Thread(target=end_with_parent, daemon=True).start()
pathlib.Path(folder, name).write_text(str(os.getpid()))
time.sleep(60)
"""
COMMAND = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from benchmarks.experiment import __main__ as command, processes
code = {SLEEPS!r}
processes.command_of = lambda job, folder, device: [
    sys.executable, "-c", f"name = {{job.name!r}}; folder = {{str(folder.path)!r}}" + chr(10) + code
]
sys.argv = ["experiment", "train", sys.argv[1], "--processes", "2", "--device", "cpu", "--rows", "gp,gp_kl"]
sys.exit(command.main())
"""


def alive(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("waited for 30 s")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_training_outlives_the_command(folder: Folder, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(folder.path)], stderr=subprocess.PIPE, text=True
    ) as running:
        marks = [folder.path / "first-gp-none-0", folder.path / "first-gp-kl-0"]
        until(lambda: all(mark.exists() and mark.read_text() for mark in marks))
        children = [int(mark.read_text()) for mark in marks]
        os.kill(running.pid, number)
        said = running.communicate(timeout=30)[1]
    assert running.returncode == (-9 if number is signal.SIGKILL else 130)
    if number is not signal.SIGKILL:
        assert "the same command goes on from here" in said
    until(lambda: not any(map(alive, children)))


def test_only_one_trains_at_a_time(folder: Folder) -> None:
    with folder.alone(), pytest.raises(ExperimentError, match="another process trains in"), folder.alone():
        pass
