"""Whose folder it is, and what may be in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import InputError, StoreError
from stages.release.folder import claim, deliver, finish, finished_as, read_sums

REQUEST = {"run": "/runs/a", "round": 0, "license": None, "geometry": False}
SUM = "0" * 64


def test_a_new_folder_is_claimed_and_the_same_release_goes_on(tmp_path: Path) -> None:
    to = tmp_path / "new"
    claim(to, REQUEST)
    deliver(to, {"labels/a.zarr.zip": b"a"})
    claim(to, REQUEST)
    assert (to / "labels" / "a.zarr.zip").read_bytes() == b"a"


def test_an_unfinished_release_of_something_else_is_refused(tmp_path: Path) -> None:
    claim(tmp_path, REQUEST)
    with pytest.raises(InputError, match="another round, geometry"):
        claim(tmp_path, REQUEST | {"round": 1, "geometry": True})


@pytest.mark.parametrize("name", ["thesis.tex", "labels/b.zarr.zip", ".hidden"])
def test_a_folder_with_files_of_others_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        claim(tmp_path, REQUEST)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="folder"):
        claim(tmp_path / "file", REQUEST)


def test_a_torn_request_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".boxgp").mkdir()
    (tmp_path / ".boxgp" / "release.json").write_text("{")
    with pytest.raises(InputError, match=r"release\.json cannot be read"):
        claim(tmp_path, REQUEST)


def test_finishing_writes_sorted_checksums_and_removes_the_books(tmp_path: Path) -> None:
    claim(tmp_path, REQUEST)
    receipt = deliver(tmp_path, {"b.csv": b"b", "labels/a.zarr.zip": b"a"})
    assert finished_as(tmp_path) is None
    finish(tmp_path, {name: one["sha256"] for name, one in receipt.items()})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SHA256SUMS", "b.csv", "labels"]
    assert list(read_sums(tmp_path)) == ["b.csv", "labels/a.zarr.zip"]
    assert finished_as(tmp_path) == ""  # without a recipe nobody knows what it is made of


def test_nothing_is_finished_while_files_of_others_lie_there(tmp_path: Path) -> None:
    claim(tmp_path, REQUEST)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"notes\.txt"):
        finish(tmp_path, {})
    assert not (tmp_path / "SHA256SUMS").exists()


@pytest.mark.parametrize(
    "line", ["", "abc", f"{SUM} a", f"{SUM}  ", f"{SUM}  /etc/passwd", f"{SUM}  ../a", f"{SUM}  a/../../b", "0  a"]
)
def test_lines_that_are_no_checksums_of_files_in_the_folder_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "SHA256SUMS").write_text(f"{SUM}  fine\n{line}\n")
    with pytest.raises(StoreError, match="line 2"):
        read_sums(tmp_path)
