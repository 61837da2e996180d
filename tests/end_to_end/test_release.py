"""`boxgp release` as people use it: verified by other programs, killed, and its scans labelled again."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.store import read_zip
from tests.end_to_end.command import BOXGP, PATIENCE_SECONDS, Ended, boxgp, completed
from tests.stages.release.contents import every_byte, tree

_KILLED_AT = """
import os, signal, sys
from pipeline.atomic import temporary_sibling
from stages.release import command, folder

left, write, clear = int(sys.argv[1]), folder.write_file, folder.clear_books

def write_or_die(path, content, partial):
    global left
    if left == 0:
        partial.mkdir(parents=True, exist_ok=True)
        temporary_sibling(partial / path.name).write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    write(path, content, partial)

def clear_or_die(place):
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    clear(place)

folder.write_file, folder.clear_books = write_or_die, clear_or_die
from pipeline.cli import main
sys.exit(main(sys.argv[2:]))
"""
"""``boxgp`` that is killed when it has written so many files of a release, in the middle of the next one"""


def killed_at(files: int, *line: str | Path, cwd: Path) -> int:
    """Exit code of a command that dies in the middle of the file after the first ``files``."""
    program = [sys.executable, "-c", _KILLED_AT, str(files), *map(str, line)]
    return subprocess.run(program, cwd=cwd, capture_output=True, timeout=PATIENCE_SECONDS, check=False).returncode


def release(run: Path, to: str, *options: str, cwd: Path) -> Ended:
    return completed("release", run, "--to", to, "--license", "cc-by-4.0", *options, cwd=cwd)


@pytest.fixture(scope="module")
def whole(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release that nothing interrupted; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    release(undisturbed, "to", cwd=folder)
    return folder / "to"


def test_a_release_is_verified_here_and_by_other_programs(whole: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(whole, tmp_path / "downloaded"))
    assert completed("release", "--verify", "downloaded", cwd=tmp_path).out.count("\n") == 1
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=moved, check=True)
    content = bytearray((moved / "labels" / "room_0001.zarr.zip").read_bytes())
    content[len(content) // 2] ^= 1
    (moved / "labels" / "room_0001.zarr.zip").write_bytes(content)
    (moved / "scenes.csv").unlink()
    ended = boxgp("release", "--verify", "downloaded", cwd=tmp_path)
    assert ended.code == 1
    assert "labels/room_0001.zarr.zip is not as it was released" in ended.out
    assert "scenes.csv is missing" in ended.out
    assert "2 problems" in ended.out


def test_nothing_of_this_machine_is_in_it(whole: Path, undisturbed: Path) -> None:
    places = [str(place).encode() for place in (undisturbed, whole, Path.home(), BOXGP.parent) if place != Path("/")]
    assert not [(name, one) for name, content in every_byte(whole) for one in places if one in content]
    assert not list(whole.rglob(".*"))


def _again_after_kill(files: int, undisturbed: Path, whole: Path, folder: Path) -> None:
    line = ("release", undisturbed, "--to", "to", "--license", "cc-by-4.0")
    assert killed_at(files, *line, cwd=folder) == -signal.SIGKILL
    assert boxgp("release", "--verify", "to", cwd=folder).code == 1
    completed(*line, cwd=folder)
    assert tree(folder / "to") == tree(whole)
    assert {path.name for path in folder.iterdir()} == {"to"}


def test_killed_between_scenes_the_same_command_finishes_it(undisturbed: Path, whole: Path, tmp_path: Path) -> None:
    _again_after_kill(1, undisturbed, whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("files", [0, 2, 3, 6])
def test_killed_anywhere_the_same_command_finishes_it(
    files: int, undisturbed: Path, whole: Path, tmp_path: Path
) -> None:
    _again_after_kill(files, undisturbed, whole, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("before_the_books_are_removed", [False, True])
def test_killed_at_the_checksums(
    before_the_books_are_removed: bool, undisturbed: Path, whole: Path, tmp_path: Path
) -> None:
    files = len(tree(whole)) - 1 + before_the_books_are_removed
    _again_after_kill(files, undisturbed, whole, tmp_path)


@pytest.mark.slow
def test_scans_that_come_along_give_the_same_labels_again(undisturbed: Path, tmp_path: Path) -> None:
    release(undisturbed, "to", "--license-allows", cwd=tmp_path)
    completed("run", "folder", "--set", "scenes.path=to/scans", "--output", "again", cwd=tmp_path)
    _assert_same_labels(undisturbed, tmp_path / "again")


@pytest.mark.real
def test_real_scans_that_come_along_give_the_same_labels_again(real_scans: Path, tmp_path: Path) -> None:
    path = f"scenes.path={real_scans}"
    completed("run", "folder", "--set", path, "--scenes", "scene0000_00", "--output", "run", cwd=tmp_path)
    ended = release(tmp_path / "run", "to", "--license-allows", cwd=tmp_path)
    assert "Left out of the recipe" in ended.out
    assert not [name for name, content in every_byte(tmp_path / "to") if str(real_scans).encode() in content]
    completed("release", "--verify", "to", cwd=tmp_path)
    completed("run", "folder", "--set", "scenes.path=to/scans", "--output", "again", cwd=tmp_path)
    _assert_same_labels(tmp_path / "run", tmp_path / "again")


def _assert_same_labels(run: Path, again: Path) -> None:
    """To the last bit; only the name of the frame may differ, which is that of a file by then."""
    stores = sorted((run / "round_00" / "pseudo_labels").glob("*/data.zarr.zip"))
    assert stores
    for store in stores:
        (ours, said), (theirs, says) = read_zip(store), read_zip(again / store.relative_to(run))
        assert says == said | {"frame": "input"}
        assert {name: one.tobytes() for name, one in ours.items()} == {
            name: one.tobytes() for name, one in theirs.items()
        }
