"""The command line apart from runs: parsing, errors and exit codes, listings, validation."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.cli import main
from pipeline.commands import chosen_scenes, stage_range
from pipeline.errors import BoxgpError, ConfigurationError, InputError
from pipeline.show import count, table, wrapped


@dataclass(frozen=True)
class Problem:
    scene: str
    severity: str
    message: str
    remedy: str


# Selections


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, (None, None)),
        ("a", ("a", "a")),
        ("a..b", ("a", "b")),
        ("a..", ("a", None)),
        ("..b", (None, "b")),
    ],
)
def test_stage_ranges(text: str | None, expected: tuple[str | None, str | None]) -> None:
    assert stage_range(text) == expected


@pytest.mark.parametrize("text", ["", "..", "a..b..c"])
def test_what_is_no_stage_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"range \(A\.\.B\)"):
        stage_range(text)


def test_scenes_are_ids_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ids.txt").write_text("x\n\n y \n")
    Path("list").write_text("z\n")
    assert chosen_scenes(None) is None
    assert chosen_scenes("a, b,") == ("a", "b")
    assert chosen_scenes("ids.txt") == ("x", "y")
    assert chosen_scenes("./list") == ("z",)
    assert chosen_scenes("list") == ("list",)


@pytest.mark.parametrize(
    ("text", "message"), [(",", "names no scene"), ("absent.txt", "cannot be read"), ("a b", "no scene id")]
)
def test_wrong_scenes_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        chosen_scenes(text)


# Tables


def test_a_table_is_aligned_and_numbers_go_right() -> None:
    assert table(("stage", "n", "note"), [("a", 5, "x"), ("longer", 10, "")]) == (
        "stage    n  note\na        5  x\nlonger  10"
    )


def test_the_last_column_is_wrapped_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = table(("key", "meaning"), [("a", "one two three four five six seven eight nine")]).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[1:] == ["a    one two three four five six seven", "     eight nine"]


def test_wrapped_text_keeps_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    lines = wrapped("some words that need room", 4)
    assert all(line.startswith("    ") and len(line) <= 20 for line in lines)
    assert " ".join(line.strip() for line in lines) == "some words that need room"


def test_counts_are_singular_or_plural() -> None:
    assert [count(number, "scene") for number in (0, 1, 2)] == ["0 scenes", "1 scene", "2 scenes"]


# Help and wrong command lines


@pytest.mark.parametrize("command", ["", "run", "plan", "status", "failures", "stages", "validate"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([*([command] if command else []), "--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: boxgp {command}".rstrip())


def test_the_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"boxgp \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize("line", [[], ["nonsense"], ["run"], ["run", "demo", "--workers", "-1"]])
def test_a_wrong_command_line_ends_with_2(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(line)
    assert end.value.code == 2
    assert "usage: boxgp" in capsys.readouterr().err


# Errors


def _raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("pipeline.commands.list_stages", fail)


def test_our_errors_are_messages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _raising(BoxgpError("what to do"), monkeypatch)
    assert main(["stages"]) == 2
    assert capsys.readouterr() == ("", "boxgp: what to do\n")
    assert main(["stages", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_unexpected_errors_are_one_line_and_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _raising(ZeroDivisionError("first line\nsecond line"), monkeypatch)
    assert main(["stages"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "unexpected ZeroDivisionError: first line;" in said
    (file,) = tmp_path.iterdir()
    assert str(file) in said
    assert "Traceback" in file.read_text()
    assert main(["stages", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _raising(KeyboardInterrupt(), monkeypatch)
    assert main(["stages"]) == 130
    assert capsys.readouterr().err.startswith("boxgp: stopped")


def test_a_closed_pipe_is_quiet() -> None:
    script = "import sys; from pipeline.cli import main; sys.exit(main(['stages']))"
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


# Stages


def test_all_stages_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    import stages

    assert main(["stages"]) == 0
    listing = capsys.readouterr().out
    for path in stages.PIPELINE:
        assert re.search(rf"^{path.split('.')[1]}: \S", listing, re.MULTILINE)


def test_one_stage_is_listed_with_type_default_and_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "superpoints"]) == 0
    listing = capsys.readouterr().out
    assert listing.startswith("superpoints: ")
    assert "reads scenes" in listing
    assert "  superpoints.neighbors: whole number >= 1, <= 64 (default 9)\n      nearest neighbours" in listing
    assert "\nscenes: " not in listing


def test_variants_are_listed_after_what_they_share(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "scenes"]) == 0
    listing = capsys.readouterr().out
    assert "scenes.source: folder | scannet | s3dis | rooms (required)" in listing
    assert listing.count("  scenes.minimum_instance_points: ") == 1
    assert listing.count("  scenes.path: path (required)") == 3
    assert listing.index("with scenes.source: folder") < listing.index("  scenes.box_key: ")


def test_an_unknown_stage_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stages", "superpoint"]) == 2
    assert "did you mean superpoints?" in capsys.readouterr().err


# Validation


def _validating(problems: Sequence[Problem], monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    asked: list[Path] = []

    def validate_path(path: Path) -> Sequence[Problem]:
        asked.append(path)
        return problems

    monkeypatch.setattr("stages.scenes.validate.validate_path", validate_path)
    return asked


def test_a_good_data_set_ends_with_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = _validating([], monkeypatch)
    assert main(["validate", "scans"]) == 0
    assert capsys.readouterr().out == "scans: no problems\n"
    assert asked == [Path("scans")]


def test_warnings_alone_end_with_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _validating([Problem("a", "warning", "no colour", "none needed")], monkeypatch)
    assert main(["validate", "scans"]) == 0
    assert "scans: no errors, 1 warning" in capsys.readouterr().out


def test_errors_end_with_1_and_are_grouped_by_scene(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [
        Problem("a", "error", "no points", "export again"),
        Problem("b", "warning", "no colour", "none needed"),
        Problem("a", "error", "no boxes", "annotate"),
    ]
    _validating(problems, monkeypatch)
    assert main(["validate", "scans"]) == 1
    assert capsys.readouterr().out == (
        "a\n  error: no points\n    -> export again\n  error: no boxes\n    -> annotate\n"
        "b\n  warning: no colour\n    -> none needed\n\n"
        "scans: 2 errors in 1 scene, 1 warning\n"
    )


def test_nothing_to_validate_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def validate_path(path: Path) -> NoReturn:
        raise InputError(f"{path}: no such file or folder")

    monkeypatch.setattr("stages.scenes.validate.validate_path", validate_path)
    assert main(["validate", "absent"]) == 2
    assert capsys.readouterr().err == "boxgp: absent: no such file or folder\n"
