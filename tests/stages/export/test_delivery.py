"""Files in a foreign layout: whole or not at all, found again, taken back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from stages.export.delivery import deliver, is_whole, withdraw

FILES = {"train/a.bin": b"one", "superpoints/a.bin": b"three"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out" / "softgroup"


def test_a_receipt_lists_size_and_checksum(folder: Path) -> None:
    receipt = deliver(folder, FILES)
    assert receipt == {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in FILES.items()
    }
    assert (folder / "train" / "a.bin").read_bytes() == b"one"
    assert is_whole(folder, receipt)


def test_nothing_temporary_ever_lies_where_trainers_look(folder: Path) -> None:
    deliver(folder, FILES)
    assert sorted(path.name for path in folder.rglob("*")) == ["a.bin", "a.bin", "superpoints", "train"]
    assert not [*(folder.parent / ".boxgp" / "partial").iterdir()]


@pytest.mark.parametrize("content", [b"", b"on"])
def test_a_file_of_another_size_is_not_whole(content: bytes, folder: Path) -> None:
    receipt = deliver(folder, FILES)
    (folder / "train" / "a.bin").write_bytes(content)
    assert not is_whole(folder, receipt)


def test_a_file_that_is_gone_is_not_whole_and_may_be_withdrawn(folder: Path) -> None:
    receipt = deliver(folder, FILES)
    (folder / "train" / "a.bin").unlink()
    assert not is_whole(folder, receipt)
    withdraw(folder, receipt)
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_folder_in_the_way_is_named(folder: Path) -> None:
    (folder / "train" / "a.bin").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"train/a\.bin cannot be written"):
        deliver(folder, FILES)
    with pytest.raises(StoreError, match=r"train/a\.bin, of an earlier export, cannot be removed"):
        withdraw(folder, {"train/a.bin": {}})
