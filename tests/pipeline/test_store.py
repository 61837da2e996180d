"""Results on disk: bytes, commits, races, kills and full disks."""

from __future__ import annotations

import errno
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import pytest
import zarr
from commit_storm import content_hash, store, values_in
from toy_results import MANIFEST, RESULT
from zarr.storage import ZipStore

from pipeline import store as module
from pipeline.errors import StoreError
from pipeline.stage import Array, Result
from pipeline.store import commit, fingerprint_of, intact_manifest, read_arrays

ROOT = Path(__file__).resolve().parents[2]
STORM = Path(__file__).parent / "commit_storm.py"


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
        def check(group: zarr.Group) -> None:
            assert group.metadata.zarr_format == 3
            assert dict(group.attrs) == RESULT.attributes
            assert dict(group.arrays()).keys() == RESULT.arrays.keys()
            for name, expected in RESULT.arrays.items():
                array = group[name]
                assert isinstance(array, zarr.Array)
                assert array.metadata.dimension_names == (expected.dimensions or None)  # type: ignore[union-attr]
                assert array.dtype == expected.values.dtype
                np.testing.assert_array_equal(np.asarray(array[...]), expected.values)

        with ZipStore(folder / "data.zarr.zip", mode="r") as entries:
            check(zarr.open_group(entries, mode="r"))

    def test_bytes_do_not_depend_on_time_or_place(self, folder: Path, tmp_path: Path) -> None:
        other = tmp_path / "elsewhere" / "b"
        commit(other, RESULT, {"fingerprint": "g", "seconds": 3.0})
        assert content_hash(other) == content_hash(folder)
        with ZipFile(folder / "data.zarr.zip") as entries:
            found = entries.infolist()
        assert {entry.date_time for entry in found} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in found} == {ZIP_STORED}
        assert {(entry.create_system, entry.external_attr) for entry in found} == {(3, 0o644 << 16)}

    def test_bytes_do_not_depend_on_the_order_of_arrays(self, folder: Path, tmp_path: Path) -> None:
        turned = replace(RESULT, arrays={name: RESULT.arrays[name] for name in sorted(RESULT.arrays, reverse=True)})
        commit(tmp_path / "turned", turned, MANIFEST)
        assert content_hash(tmp_path / "turned") == content_hash(folder)

    def test_few_files(self, folder: Path) -> None:
        commit(folder.parent / "b", replace(RESULT, files={}), MANIFEST)
        assert {path.name for path in (folder.parent / "b").rglob("*")} == {"data.zarr.zip", "manifest.json"}

    def test_more_than_a_chunk_of_real_size(self, tmp_path: Path) -> None:
        values = np.arange(2**26 + 5, dtype=np.uint8)
        commit(tmp_path / "a", Result({"x": Array(values, ("point",))}), MANIFEST)
        with ZipFile(tmp_path / "a" / "data.zarr.zip") as entries:
            assert {"x/c/0", "x/c/1"} == {name for name in entries.namelist() if "/c/" in name}
        np.testing.assert_array_equal(read_arrays(tmp_path / "a")[0]["x"], values)

    def test_the_first_line_of_the_manifest_says_what_planning_asks(self, folder: Path) -> None:
        commit(folder.parent / "b", RESULT, {"stage": "toy", "fingerprint": "ä", "config": {"x": {}, "y": [{}, "}\n"]}})
        for name, others in (("a", {}), ("b", {"stage": "toy", "config": {"x": {}, "y": [{}, "}\n"]}})):
            text = (folder.parent / name / "manifest.json").read_text()
            assert text.endswith("\n}\n")
            head = json.loads(text.splitlines()[0].removesuffix(",") + "}")
            assert list(head) == ["fingerprint", "contents"]
            assert list(head["contents"]) == ["data.zarr.zip", "figures/one.svg", "table.txt"]
            assert json.loads(text) == head | others == intact_manifest(folder.parent / name)
            assert fingerprint_of(folder.parent / name) == head["fingerprint"]

    def test_manifests_of_any_length(self, folder: Path) -> None:
        manifest = {"fingerprint": "g", "warnings": ["x" * 200_000]}
        commit(folder, RESULT, manifest)
        assert fingerprint_of(folder) == "g"
        assert (intact_manifest(folder) or {})["warnings"] == manifest["warnings"]

    def test_large_arrays_have_several_chunks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_CHUNK_BYTES", 100)
        commit(tmp_path / "a", RESULT, MANIFEST)
        with ZipStore(tmp_path / "a" / "data.zarr.zip", mode="r") as entries:
            group = zarr.open_group(entries, mode="r")
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
        assert {path.name for path in folder.iterdir()} == {"data.zarr.zip", "manifest.json"}
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

    @pytest.mark.parametrize("name", ["../x", "/x", "data.zarr.zip", "data.zarr.zip/x", "manifest.json", ""])
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


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_what_this_one_reads(folder: Path, method: str) -> None:
    """In a process of its own, since a fork of one with zarr's threads is what has to be tried."""
    lines = (
        "import sys, warnings, multiprocessing as m",
        "from pathlib import Path",
        "from pipeline.store import read_arrays",
        "def total(folder): return float(read_arrays(folder)[0]['xyz'].sum())",
        "if __name__ == '__main__':",
        "    folder = Path(sys.argv[2])",
        "    here = total(folder)",
        "    with m.get_context(sys.argv[1]).Pool(2) as pool:",
        "        assert pool.map(total, [folder] * 8) == [here] * 8",
    )
    script = folder.parent.parent / "read.py"
    script.write_text("\n".join(lines))
    command = [sys.executable, "-W", "error::ResourceWarning", str(script), method, str(folder)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert (completed.returncode, completed.stderr) == (0, "")


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
