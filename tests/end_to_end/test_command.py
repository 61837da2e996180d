"""The whole command on toy stages: good input, bad input, and what it says about both."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from pipeline.cli import main
from pipeline.plans import load_plan

TOYS = Path(__file__).parents[1] / "pipeline"
PIPELINE = tuple(f"toy_stages:{name}" for name in ("Numbers", "Double", "Batch", "Total", "Report"))
STAGES = ("numbers", "double", "batch", "total", "report")
DRIVER = f"""
import sys
import stages
stages.PIPELINE = {PIPELINE}
from pipeline.cli import main
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a data set of three scenes and the configuration my.yaml."""
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.setattr("stages.PIPELINE", PIPELINE)
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    for scene, text in {"a": "1 2 3", "b": "4 5", "c": "6"}.items():
        (data / f"{scene}.txt").write_text(text)
    (tmp_path / "my.yaml").write_text("numbers: {path: data}\n")
    (tmp_path / "driver.py").write_text(DRIVER)
    return tmp_path


class Said:
    """Exit code and output of one command."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *line: str) -> None:
        capsys.readouterr()
        self.code = main(line)
        self.out, self.err = capsys.readouterr()

    def row(self, name: str) -> list[str]:
        """The cells of the table row that starts with ``name``."""
        rows = [line.split() for line in self.out.splitlines() if line.split()[:1] == [name]]
        assert len(rows) == 1, self.out
        return rows[0][1:]


def driver(*line: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a process of its own."""
    paths = os.pathsep.join([str(TOYS), *filter(None, sys.path)])
    return [sys.executable, "driver.py", *line], {**os.environ, "PYTHONPATH": paths}


# Good input


def test_a_run_says_what_it_did_and_where_it_lies(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "run", "my.yaml")
    assert said.code == 0
    assert said.out.startswith("my -> outputs/my: 11 of 11 tasks to run in this process\n")
    assert said.row("stage")[:4] == ["done", "kept", "failed", "blocked"]
    assert said.row("double") == ["3", "0", "0", "0", "round_00/double/<scene>/"]
    assert said.row("total") == ["1", "0", "0", "0", "round_00/total/"]
    assert "\na 3\nb 2\nc 1\n" in said.out
    assert said.out.endswith("The results are in outputs/my\n")
    assert "failure" not in said.out
    assert "warning" not in said.out
    assert "double: 3/3" in said.err
    assert (folder / "outputs/my/round_00/double/a/data.zarr.zip").is_file()


def test_a_run_keeps_its_configuration_and_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Said(capsys, "run", "my.yaml", "--set", "double.factor=3", "--output", "out/x").code == 0
    saved = yaml.safe_load((folder / "out/x/config.yaml").read_text())
    assert saved["double"]["factor"] == 3.0
    assert saved["numbers"]["path"] == str(folder / "data")
    (plan,) = (folder / "out/x/plans").iterdir()
    assert load_plan(plan).size == 11


def test_a_second_run_keeps_everything(capsys: pytest.CaptureFixture[str]) -> None:
    Said(capsys, "run", "my.yaml")
    said = Said(capsys, "run", "my.yaml")
    assert said.code == 0
    assert "everything is done already" in said.out
    assert said.row("batch")[:4] == ["0", "3", "0", "0"]
    assert "\na 3\n" in said.out


def test_a_run_can_be_repeated_from_its_saved_configuration(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Said(capsys, "run", "my.yaml")
    os.chdir(folder / "data")
    said = Said(capsys, "run", "../outputs/my/config.yaml", "--output", "../outputs/my")
    assert "everything is done already" in said.out


def test_stages_scenes_and_force_select_tasks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ids.txt").write_text("a\nc\n")
    said = Said(capsys, "run", "my.yaml", "--stage", "..double", "--scenes", "ids.txt")
    assert said.row("double")[:4] == ["2", "0", "0", "0"]
    assert "batch" not in said.out
    said = Said(capsys, "run", "my.yaml", "--stage", "double", "--scenes", "a", "--force", "double")
    assert said.row("double")[:4] == ["1", "0", "0", "0"]
    assert "numbers" not in said.out


def test_worker_processes_do_the_same() -> None:
    command, environment = driver("run", "my.yaml", "--workers", "2")
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert "11 of 11 tasks to run with 2 workers" in ended.stdout
    assert re.search(r"^batch +3 +0 +0 +0 ", ended.stdout, re.MULTILINE)
    assert "\na 3\nb 2\nc 1\n" in ended.stdout


# Bad input


@pytest.mark.filterwarnings("default:a warning of Python:RuntimeWarning")
def test_scenes_that_fail_are_named_and_the_others_go_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data/bad.txt").write_text("one")
    said = Said(capsys, "run", "my.yaml", "--set", "double.fail=[b]", "--set", "double.warn=[c]")
    assert said.code == 1
    assert said.row("numbers")[:4] == ["3", "0", "1", "0"]
    assert said.row("double")[:4] == ["2", "0", "1", "1"]
    assert said.row("total")[:4] == ["1", "0", "0", "0"]
    assert re.search(r"^2 failures:\n  bad, numbers: .*bad.txt holds no numbers", said.out, re.MULTILINE)
    assert "\n  b, double: a mistake in the program\n" in said.out
    assert "boxgp failures outputs/my" in said.out
    assert "1 warning, in the lines with WARNING of these logs:\n  outputs/my/logs/round_00/double/ (1)" in said.out
    assert "WARNING" in (folder / "outputs/my/logs/round_00/double/c.log").read_text()
    assert "Traceback" not in said.out + said.err


def test_failures_say_what_to_do_and_where_the_log_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data/bad.txt").write_text("one")
    Said(capsys, "run", "my.yaml", "--set", "double.fail=[b]")
    said = Said(capsys, "failures", "outputs/my")
    assert said.code == 0
    assert said.out.index("bad, stage numbers") < said.out.index("b, stage double")
    assert "correct the file" in said.out.replace("\n  ", " ")
    assert f"input: {folder / 'data/bad.txt'}" in said.out
    logs = re.findall(r"^  log: (.*)$", said.out, re.MULTILINE)
    assert len(logs) == 2
    assert all((folder / log).is_file() for log in logs)
    assert "unexpected ZeroDivisionError" in said.out
    assert "Traceback" not in said.out
    one = Said(capsys, "failures", "outputs/my", "b", "--traceback").out
    assert "Traceback" in one
    assert "bad, stage" not in one
    assert Said(capsys, "failures", "outputs/my", "a").out == "outputs/my: no failures of scene a\n"


def test_a_corrected_scene_fails_no_longer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data/b.txt").write_text("one")
    assert Said(capsys, "run", "my.yaml").code == 1
    (folder / "data/b.txt").write_text("1 1")
    said = Said(capsys, "run", "my.yaml")
    assert said.code == 0
    assert said.row("double")[:4] == ["1", "2", "0", "0"]
    assert "\na 3\nb 2\nc 1\n" in said.out
    assert Said(capsys, "failures", "outputs/my").out == "outputs/my: no failures\n"


def test_strict_refuses_a_data_set_with_holes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data/bad.txt").write_text("one")
    said = Said(capsys, "run", "my.yaml", "--set", "strict=true")
    assert said.code == 1
    assert said.row("total")[:4] == ["0", "0", "1", "0"]
    assert "(all scenes), total: " in said.out
    assert "a 3" not in said.out


def test_a_table_of_an_earlier_run_is_not_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Said(capsys, "run", "my.yaml")
    (folder / "data/bad.txt").write_text("one")
    said = Said(capsys, "run", "my.yaml", "--set", "strict=true")
    assert (folder / "outputs/my/round_00/total/table.txt").is_file()
    assert "a 3" not in said.out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["run", "nope"], "no built-in configuration 'nope'"),
        (["run", "nope.yaml"], "nope.yaml does not exist"),
        (["run", "my.yaml", "--set", "doubel.factor=3"], "did you mean double?"),
        (["run", "my.yaml", "--set", "numbers.path=void"], "no scene"),
        (["run", "my.yaml", "--stage", "doubel.."], "did you mean"),
        (["run", "my.yaml", "--stage", "total..double"], "total comes after double"),
        (["run", "my.yaml", "--force", "doubel"], "did you mean"),
        (["run", "my.yaml", "--scenes", "zz"], "no scene 'zz'"),
        (["run", "my.yaml", "--output", "my.yaml/out"], "cannot be used"),
        (["status", "outputs/my"], "outputs/my is no folder of a run: it does not exist"),
        (["status", "data"], "data is no folder of a run: it has no config.yaml"),
        (["failures", "my.yaml"], "my.yaml is no folder of a run: it is no folder"),
    ],
)
def test_what_cannot_start_ends_with_2_and_a_message(
    line: Sequence[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Said(capsys, *line)
    assert said.code == 2
    assert said.err.startswith("boxgp: ")
    assert message in said.err
    assert "Traceback" not in said.err


def test_a_misspelt_run_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    Said(capsys, "run", "my.yaml", "--output", "outputs/rooms", "--stage", "numbers")
    assert "did you mean outputs/rooms?" in Said(capsys, "status", "outputs/room").err


def test_an_interrupted_run_ends_with_130_and_keeps_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    command, environment = driver("run", "my.yaml", "--set", "double.seconds=60")
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("double: "):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "boxgp: stopped" in err
    assert "Traceback" not in err
    assert re.search(r"^numbers +3 +0 ", out, re.MULTILINE)
    assert Said(capsys, "plan", "my.yaml", "--stage", "numbers").out.startswith("0 of 3 tasks would run")


# Plan and status


def test_a_plan_tells_the_reasons_and_computes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Said(capsys, "plan", "my.yaml")
    assert said.code == 0
    assert said.out.startswith("11 of 11 tasks would run in outputs/my\n")
    assert said.row("double") == ["3"]
    assert not (folder / "outputs/my/config.yaml").exists()
    Said(capsys, "run", "my.yaml")
    said = Said(capsys, "plan", "my.yaml", "--set", "double.factor=3", "--scenes", "a,b", "--verbose")
    assert re.search(r"^stage +done +config +input$", said.out, re.MULTILINE)
    assert re.search(r"^double +0 +2 +0$", said.out, re.MULTILINE)
    assert re.search(r"^double +b +config$", said.out, re.MULTILINE)
    assert re.search(r"^total +\(all scenes\) +input$", said.out, re.MULTILINE)
    assert "options or seed have changed" in said.out


def test_status_counts_what_is_on_disk(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data/bad.txt").write_text("one")
    Said(capsys, "run", "my.yaml")
    said = Said(capsys, "status", "outputs/my")
    assert said.code == 0
    assert said.row("stage") == ["done", "stale", "missing", "failed"]
    assert said.row("numbers") == ["3", "0", "0", "1"]
    assert said.row("double") == ["3", "0", "1", "0"]
    assert said.row("total") == ["1", "0", "0", "0"]
    assert "boxgp failures outputs/my" in said.out
    Said(capsys, "run", "my.yaml", "--set", "double.factor=3", "--stage", "..double", "--scenes", "a")
    said = Said(capsys, "status", "outputs/my")
    assert said.row("double") == ["1", "2", "1", "0"]
    assert said.row("batch") == ["0", "3", "1", "0"]
