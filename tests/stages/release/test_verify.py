"""What --verify finds, and that it finds nothing else."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.stages.release.conftest import SCENES

LABELS = f"labels/{SCENES[0]}.zarr.zip"


def verified(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["release", "--verify", str(folder)])
    return code, capsys.readouterr().out


def sum_again(folder: Path, name: str) -> None:
    """As somebody who released other content would have it."""
    sums = folder / "SHA256SUMS"
    checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    lines = [line for line in sums.read_text().splitlines() if not line.endswith(f"  {name}")]
    sums.write_text("\n".join([*lines, f"{checksum}  {name}"]) + "\n")


def test_a_release_is_as_it_was_released_wherever_it_lies(
    run: Path, released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = shutil.move(released, tmp_path / "elsewhere")
    shutil.rmtree(run)
    code, said = verified(Path(moved), capsys)
    assert (code, said.count("\n")) == (0, 1)
    assert "9 files of 2 scenes, all as they were released" in said


@pytest.mark.parametrize("name", [LABELS, "README.md", "scenes.csv", "croissant.json"])
@pytest.mark.parametrize("place", [0, -1])
def test_a_flipped_bit(name: str, place: int, released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray((released / name).read_bytes())
    content[place] ^= 1
    (released / name).write_bytes(content)
    code, said = verified(released, capsys)
    assert code == 1
    assert f"{name} is not as it was released" in said
    assert "1 problem" in said


@pytest.mark.parametrize("name", [LABELS, "recipe.json", "quality.csv"])
def test_a_missing_file(name: str, released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (released / name).unlink()
    code, said = verified(released, capsys)
    assert code == 1
    assert f"{name} is missing" in said


@pytest.mark.parametrize("name", ["labels/room_9999.zarr.zip", "notes.txt", ".boxgp/release/room_0000/manifest.json"])
def test_an_extra_file(name: str, released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (released / name).parent.mkdir(parents=True, exist_ok=True)
    (released / name).touch()
    code, said = verified(released, capsys)
    assert code == 1
    assert (".boxgp/ is left over" if name.startswith(".boxgp") else f"{name} is no file of this release") in said


def test_what_fetching_adds_is_no_problem(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (".git/HEAD", ".gitattributes", ".cache/huggingface/download/README.md.metadata"):
        (released / name).parent.mkdir(parents=True, exist_ok=True)
        (released / name).touch()
    assert verified(released, capsys)[0] == 0


def test_links_to_files_are_files(released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "blobs").mkdir()
    shutil.move(released / LABELS, tmp_path / "blobs" / "a")
    (released / LABELS).symlink_to(tmp_path / "blobs" / "a")
    assert verified(released, capsys)[0] == 0


def test_labels_that_were_released_broken(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (released / LABELS).read_bytes()
    (released / LABELS).write_bytes(content[: len(content) // 2])
    sum_again(released, LABELS)
    code, said = verified(released, capsys)
    assert code == 1
    assert f"{LABELS} holds no labels" in said


def test_labels_of_another_scene(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(released / f"labels/{SCENES[1]}.zarr.zip", released / LABELS)
    sum_again(released, LABELS)
    code, said = verified(released, capsys)
    assert code == 1
    assert f"holds the labels of scene {SCENES[1]}" in said


def test_without_checksums_it_is_unfinished(released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (released / "SHA256SUMS").unlink()
    code, said = verified(released, capsys)
    assert code == 1
    assert "not finished" in said


def test_checksums_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(b'').hexdigest()}  a\n")
    code, said = verified(tmp_path, capsys)
    assert code == 1
    assert "no release of boxgp" in said


def test_no_folder_and_too_many_words(tmp_path: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "--verify", str(tmp_path / "none")]) == 2
    assert main(["release", str(run), "--verify", str(tmp_path)]) == 2
    assert main(["release", str(run)]) == 2
    said = capsys.readouterr().err
    assert "is no folder" in said
    assert "leave RUN and --to away" in said
    assert "boxgp release RUN --to DIR" in said
