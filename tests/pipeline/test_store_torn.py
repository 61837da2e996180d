"""Results that are torn, damaged, foreign or old: never taken for whole, never read as other values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from commit_storm import content_hash
from toy_results import MANIFEST, RESULT

from pipeline.errors import StoreError
from pipeline.store import commit, fingerprint_of, intact_manifest, read_arrays, read_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes" / "a"
    assert commit(folder, RESULT, MANIFEST)
    return folder


def _rewrite(folder: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Another zip in the place of the one in ``folder``, and no manifest that would tell."""
    (folder / "manifest.json").unlink()
    with ZipFile(folder / "data.zarr.zip") as source:
        contents = {name: source.read(name) for name in source.namelist()}
    change(contents)
    with ZipFile(folder / "data.zarr.zip", "w") as target:
        for name, content in contents.items():
            target.writestr(name, content)


class TestTorn:
    @pytest.mark.parametrize("name", ["data.zarr.zip", "table.txt", "figures/one.svg"])
    def test_a_missing_file_is_noticed(self, folder: Path, name: str) -> None:
        (folder / name).unlink()
        assert fingerprint_of(folder) is None
        assert intact_manifest(folder) is None
        with pytest.raises(StoreError, match=rf"{folder} is torn: {name} .*remove that folder and run again"):
            read_arrays(folder)

    @pytest.mark.parametrize("name", ["data.zarr.zip", "table.txt"])
    def test_a_truncated_file_is_noticed(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes((folder / name).read_bytes()[:-1])
        assert fingerprint_of(folder) is None
        with pytest.raises(StoreError, match=rf"torn: {name} "):
            read_arrays(folder)

    @pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
    def test_a_truncated_zip_is_noticed_without_a_manifest(self, folder: Path, share: float) -> None:
        (folder / "manifest.json").unlink()
        content = (folder / "data.zarr.zip").read_bytes()
        (folder / "data.zarr.zip").write_bytes(content[: int(share * len(content))])
        with pytest.raises(StoreError, match=r"data.zarr.zip cannot be read .*remove that folder"):
            read_arrays(folder)

    def test_a_changed_byte_gives_no_other_values(self, folder: Path) -> None:
        content = (folder / "data.zarr.zip").read_bytes()
        places = np.random.default_rng(0).choice(len(content), 150, replace=False)
        refused = 0
        for place in places:
            changed = bytearray(content)
            changed[place] ^= 1 << int(place) % 8
            (folder / "data.zarr.zip").write_bytes(changed)
            try:
                arrays, attributes = read_arrays(folder)
            except StoreError:
                refused += 1
            else:
                assert (arrays.keys(), attributes) == (RESULT.arrays.keys(), RESULT.attributes)
                for name, array in RESULT.arrays.items():
                    np.testing.assert_array_equal(arrays[name], array.values)
        assert refused > len(places) // 2

    @pytest.mark.parametrize("text", ["", "{", '{"fingerprint": "f"', "[]", '{"fingerprint": 3}'])
    def test_a_truncated_manifest_is_noticed(self, folder: Path, text: str) -> None:
        (folder / "manifest.json").write_text(text)
        assert fingerprint_of(folder) is None
        assert intact_manifest(folder) is None
        with pytest.raises(StoreError, match=r"manifest.json is (torn|no manifest of boxgp).*run again"):
            read_manifest(folder)

    def test_a_manifest_cut_anywhere_is_noticed(self, folder: Path) -> None:
        commit(folder, RESULT, {"fingerprint": "g", "config": {"a": {}, "b": {"c": [{"d": 1}]}}})
        content = (folder / "manifest.json").read_bytes()
        for length in range(len(content)):
            (folder / "manifest.json").write_bytes(content[:length])
            assert fingerprint_of(folder) is None
            assert intact_manifest(folder) is None

    def test_a_result_of_an_earlier_layout_counts_as_missing(self, folder: Path) -> None:
        (folder / "data.zarr.zip").unlink()
        (folder / "data.zarr").mkdir()
        (folder / "manifest.json").write_text('{\n  "fingerprint": "f",\n  "contents": {\n    "table.txt": 2\n  }\n}\n')
        assert fingerprint_of(folder) is None
        assert intact_manifest(folder) is None
        assert commit(folder, RESULT, MANIFEST)
        assert not (folder / "data.zarr").exists()

    def test_a_torn_folder_is_replaced(self, folder: Path) -> None:
        before = content_hash(folder)
        (folder / "data.zarr.zip").unlink()
        assert commit(folder, RESULT, MANIFEST)
        assert content_hash(folder) == before

    @pytest.mark.parametrize(("name", "chunk"), [("zero", "zero/c/0/0"), ("xyz", "xyz/c/0/0"), ("scalar", "scalar/c")])
    def test_missing_chunks_are_noticed_without_a_manifest(self, folder: Path, name: str, chunk: str) -> None:
        _rewrite(folder, lambda contents: contents)
        assert "xyz" in read_arrays(folder)[0]
        (folder / "manifest.json").touch()
        _rewrite(folder, lambda contents: contents.pop(chunk))
        with pytest.raises(StoreError, match=rf"1 chunks of {name} are missing"):
            read_arrays(folder)

    def test_foreign_folders(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="does not exist: run the stage that writes it"):
            read_arrays(tmp_path / "nowhere")
        with pytest.raises(StoreError, match=r"is no result of boxgp: it has no data.zarr.zip"):
            read_arrays(tmp_path)
        with pytest.raises(StoreError, match=r"is no result of boxgp: it has no manifest.json"):
            read_manifest(tmp_path)
        (tmp_path / "data.zarr.zip").mkdir()
        with pytest.raises(StoreError, match=r"data.zarr.zip cannot be read"):
            read_arrays(tmp_path)
        assert fingerprint_of(tmp_path) is None

    def test_foreign_files(self, folder: Path) -> None:
        _rewrite(folder, lambda contents: contents.update({"zarr.json": b'{"zarr_format": 2}'}))
        with pytest.raises(StoreError, match=r"data.zarr.zip cannot be read"):
            read_arrays(folder)
        (folder / "manifest.json").touch()
        _rewrite(folder, lambda contents: contents.clear())
        with pytest.raises(StoreError, match=r"data.zarr.zip cannot be read"):
            read_arrays(folder)
        (folder / "data.zarr.zip").write_text("this is no zip")
        with pytest.raises(StoreError, match=r"data.zarr.zip cannot be read .*not a zip"):
            read_arrays(folder)
