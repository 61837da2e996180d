"""Results on disk: bytes, commits, torn folders, races, kills and full disks."""

from __future__ import annotations

import errno
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from commit_storm import content_hash, store, values_in

from pipeline import store as module
from pipeline.errors import StoreError
from pipeline.stage import Array, Result
from pipeline.store import commit, fingerprint_of, read_arrays, read_manifest

STORM = Path(__file__).parent / "commit_storm.py"
MANIFEST: dict[str, Any] = {"fingerprint": "f"}
RESULT = Result(
    {
        "xyz": Array(np.arange(30, dtype=np.float32).reshape(10, 3), ("point", "axis")),
        "zero": Array(np.zeros((4, 5), bool), ("object", "region")),
        "empty": Array(np.zeros((0, 6), np.float32), ("object", "corner")),
        "scalar": Array(np.array(3, np.int64), ()),
        "column_major": Array(np.asfortranarray(np.arange(6.0).reshape(2, 3)), ("row", "column")),
        "missing": Array(np.array([np.nan, -1.0], np.float32), ("region",)),
    },
    {"format": "toy", "names": ["b", "a"], "scale": 0.5},
    files={"table.txt": b"1\n", "figures/one.svg": b"<svg/>"},
)


def _hidden(folder: Path) -> list[Path]:
    return list(folder.rglob(".*"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes" / "a"
    assert commit(folder, RESULT, MANIFEST)
    return folder


class TestCommit:
    def test_round_trip(self, folder: Path) -> None:
        arrays, attributes = read_arrays(folder)
        assert set(arrays) == set(RESULT.arrays)
        for name, array in RESULT.arrays.items():
            assert arrays[name].dtype == array.values.dtype
            np.testing.assert_array_equal(arrays[name], array.values)
        assert attributes == RESULT.attributes
        assert (folder / "table.txt").read_bytes() == b"1\n"
        assert (folder / "figures" / "one.svg").read_bytes() == b"<svg/>"
        assert fingerprint_of(folder) == "f"
        assert _hidden(folder.parent) == []

    def test_zarr_alone_can_read_it(self, folder: Path) -> None:
        group = zarr.open_group(folder / "data.zarr", mode="r")
        assert group.metadata.zarr_format == 3
        array = group["xyz"]
        assert isinstance(array, zarr.Array)
        assert array.metadata.dimension_names == ("point", "axis")  # type: ignore[union-attr]
        assert array.nchunks == 1

    def test_bytes_do_not_depend_on_time_or_place(self, folder: Path, tmp_path: Path) -> None:
        other = tmp_path / "elsewhere" / "b"
        commit(other, RESULT, {"fingerprint": "g", "seconds": 3.0})
        assert content_hash(other) == content_hash(folder)

    def test_large_arrays_have_several_chunks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_CHUNK_BYTES", 100)
        commit(tmp_path / "a", RESULT, MANIFEST)
        group = zarr.open_group(tmp_path / "a" / "data.zarr", mode="r")
        assert [group[name].chunks for name in ("xyz", "zero", "empty", "scalar")] == [(8, 3), (4, 5), (1, 6), ()]  # type: ignore[union-attr]
        np.testing.assert_array_equal(read_arrays(tmp_path / "a")[0]["xyz"], RESULT.arrays["xyz"].values)

    def test_the_same_fingerprint_is_never_replaced(self, folder: Path) -> None:
        identity = (folder / "manifest.json").stat().st_ino
        assert not commit(folder, Result(), MANIFEST)
        assert (folder / "manifest.json").stat().st_ino == identity
        assert set(read_arrays(folder)[0]) == set(RESULT.arrays)
        assert _hidden(folder.parent) == []

    def test_unless_that_is_asked_for(self, folder: Path) -> None:
        assert commit(folder, Result(), MANIFEST, replace=True)
        assert read_arrays(folder) == ({}, {})
        assert not (folder / "table.txt").exists()
        assert _hidden(folder.parent) == []

    def test_another_fingerprint_replaces_everything(self, folder: Path) -> None:
        assert commit(folder, Result(attributes={"new": 1}), {"fingerprint": "g"})
        assert read_arrays(folder) == ({}, {"new": 1})
        assert {path.name for path in folder.iterdir()} == {"data.zarr", "manifest.json"}
        assert {path.name for path in folder.parent.iterdir()} == {"a"}

    def test_an_equal_result_that_appears_meanwhile_is_put_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another process replaces the stale result between our look at it and our rename."""
        folder = tmp_path / "a"
        store(folder, 1)
        looks: list[Path] = []

        def look(where: Path) -> str | None:
            looks.append(where)
            if len(looks) == 1:
                seen = fingerprint_of(where)
                shutil.rmtree(where)
                monkeypatch.setattr(module, "fingerprint_of", fingerprint_of)
                store(folder, 0)
                monkeypatch.setattr(module, "fingerprint_of", look)
                (folder / "first").touch()
                return seen
            return fingerprint_of(where)

        monkeypatch.setattr(module, "fingerprint_of", look)
        assert not store(folder, 0)
        assert (folder / "first").exists()
        assert _hidden(tmp_path) == []

    @pytest.mark.parametrize("name", ["../x", "/x", "data.zarr/x", "manifest.json", ""])
    def test_names_of_further_files_stay_inside(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(StoreError, match="cannot be the name of a file"):
            commit(tmp_path / "a", Result(files={name: b""}), MANIFEST)
        assert list(tmp_path.iterdir()) == []

    def test_dimensions_must_fit(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"array x has 1 dimensions, but the stage names \['a', 'b'\]"):
            commit(tmp_path / "a", Result({"x": Array(np.zeros(3), ("a", "b"))}), MANIFEST)

    def test_values_that_json_refuses_leave_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(TypeError):
            commit(tmp_path / "a", Result(), {**MANIFEST, "statistics": {"x": object()}})
        assert list(tmp_path.iterdir()) == []


class TestTorn:
    @pytest.mark.parametrize(
        "name", ["data.zarr/xyz/c/0/0", "data.zarr/xyz/zarr.json", "table.txt", "data.zarr/zarr.json"]
    )
    def test_a_missing_file_is_noticed(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        assert fingerprint_of(folder) is None
        with pytest.raises(StoreError, match=rf"{folder} is torn: {name} .*remove that folder and run again"):
            read_arrays(folder)

    def test_a_truncated_chunk_is_noticed(self, folder: Path) -> None:
        chunk = folder / "data.zarr" / "xyz" / "c" / "0" / "0"
        chunk.write_bytes(chunk.read_bytes()[:-1])
        assert fingerprint_of(folder) is None
        with pytest.raises(StoreError, match="torn"):
            read_arrays(folder)

    def test_a_changed_byte_is_noticed_when_it_is_read(self, folder: Path) -> None:
        chunk = folder / "data.zarr" / "xyz" / "c" / "0" / "0"
        content = bytearray(chunk.read_bytes())
        content[-6] ^= 1
        chunk.write_bytes(content)
        with pytest.raises(StoreError, match=r"data.zarr cannot be read .*remove that folder"):
            read_arrays(folder)

    @pytest.mark.parametrize("text", ["", "{", '{"fingerprint": "f"', "[]", '{"fingerprint": 3}'])
    def test_a_truncated_manifest_is_noticed(self, folder: Path, text: str) -> None:
        (folder / "manifest.json").write_text(text)
        assert fingerprint_of(folder) is None
        with pytest.raises(StoreError, match=r"manifest.json is (torn|no manifest of boxgp).*run again"):
            read_manifest(folder)

    def test_a_torn_folder_is_replaced(self, folder: Path) -> None:
        before = content_hash(folder)
        (folder / "data.zarr" / "zero" / "c" / "0" / "0").unlink()
        assert commit(folder, RESULT, MANIFEST)
        assert content_hash(folder) == before

    def test_missing_chunks_are_noticed_without_a_manifest(self, folder: Path) -> None:
        (folder / "manifest.json").unlink()
        assert "xyz" in read_arrays(folder)[0]
        (folder / "data.zarr" / "zero" / "c" / "0" / "0").unlink()
        with pytest.raises(StoreError, match="1 chunks of zero are missing"):
            read_arrays(folder)

    def test_foreign_folders(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="does not exist: run the stage that writes it"):
            read_arrays(tmp_path / "nowhere")
        with pytest.raises(StoreError, match=r"is no result of boxgp: it has no data.zarr"):
            read_arrays(tmp_path)
        with pytest.raises(StoreError, match=r"is no result of boxgp: it has no manifest.json"):
            read_manifest(tmp_path)
        zarr.open_group(tmp_path / "data.zarr", mode="w", zarr_format=2)
        with pytest.raises(StoreError, match=r"data.zarr"):
            read_arrays(tmp_path)
        assert fingerprint_of(tmp_path) is None


def _storm(*arguments: object) -> list[Any]:
    command = [sys.executable, str(STORM), *map(str, arguments)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert completed.returncode == 0, completed.stderr
    return [json.loads(line) for line in completed.stdout.splitlines()]


class TestManyProcesses:
    def test_one_of_several_equal_commits_is_kept(self, tmp_path: Path) -> None:
        stored = _storm("race", tmp_path, 3, 12, "equal")
        assert [sum(turn) for turn in zip(*stored, strict=True)] == [1] * 12
        for turn in range(12):
            assert values_in(tmp_path / str(turn)) == {0}
        assert _hidden(tmp_path) == []

    def test_different_commits_are_never_mixed(self, tmp_path: Path) -> None:
        stored = _storm("race", tmp_path, 3, 12, "distinct")
        assert all(all(turns) for turns in stored)
        for turn in range(12):
            assert len(values_in(tmp_path / str(turn))) == 1
        assert _hidden(tmp_path) == []

    def test_kills_leave_one_whole_result_or_none(self, tmp_path: Path) -> None:
        store(tmp_path / "reference", 0)
        reference = content_hash(tmp_path / "reference")
        states = _storm("kill", tmp_path / "stage" / "a", 8, 1)
        assert len(states) == 8
        for state in states:
            if state["exists"]:
                assert state["values"] in ([0], [1])
                assert state["fingerprint"] == f"fingerprint {state['values'][0]}"
            assert state["swept"] == state["left"]
            assert state["hidden"] == []
            assert state["hash"] == reference
        assert any(state["left"] for state in states), "no kill fell into a commit"


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestDisk:
    def test_a_write_that_stops_short_leaves_the_old_result(self, folder: Path) -> None:
        noise = np.random.default_rng(0).random(100_000)
        with _largest_file(20_000), pytest.raises(StoreError, match=rf"{folder} cannot be written: .*ulimit -f"):
            commit(folder, Result({"noise": Array(noise, ("x",))}), {"fingerprint": "g"})
        assert fingerprint_of(folder) == "f"
        assert {path.name for path in folder.parent.iterdir()} == {"a"}

    @pytest.mark.parametrize(
        ("code", "remedy"),
        [(errno.ENOSPC, "disk is full: free some space"), (errno.EROFS, "read-only: choose another output folder")],
    )
    def test_the_message_says_what_to_do(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(code, "no")

        monkeypatch.setattr(zarr.Group, "create_array", fail)
        with pytest.raises(StoreError, match=rf"{tmp_path / 'a'} cannot be written: .*{remedy}"):
            commit(tmp_path / "a", RESULT, MANIFEST)
        assert list(tmp_path.iterdir()) == []

    def test_an_interrupt_leaves_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(zarr.Group, "create_array", interrupt)
        with pytest.raises(KeyboardInterrupt):
            commit(tmp_path / "a", RESULT, MANIFEST)
        assert list(tmp_path.iterdir()) == []
