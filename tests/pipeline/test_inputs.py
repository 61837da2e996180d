"""Content hashes of raw files and their cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.inputs import InputHashes

CACHE = Path("cache", "input_hashes.json")


def _aged(path: Path, content: bytes, seconds: int = 100) -> Path:
    """A file that was changed some time ago."""
    path.write_bytes(content)
    moment = path.stat().st_mtime_ns - seconds * 10**9
    os.utime(path, ns=(moment, moment))
    return path


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are read for hashing from here on."""
    read: list[str] = []
    original = hashlib.file_digest

    def note(stream: Any, name: str) -> object:
        read.append(Path(stream.name).name)
        return original(stream, name)

    monkeypatch.setattr(hashlib, "file_digest", note)
    return read


def test_hash_is_that_of_the_content(tmp_path: Path) -> None:
    path = _aged(tmp_path / "a.npz", b"abc")
    assert InputHashes(tmp_path).sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = _aged(tmp_path / "a.npz", b"abc"), _counted(monkeypatch)
    hashes = InputHashes(tmp_path / "output")
    first = hashes.sha256(path)
    hashes.save()
    assert InputHashes(tmp_path / "output").sha256(path) == first
    assert read == ["a.npz"]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    hashes = InputHashes(tmp_path / "output")
    first = hashes.sha256(_aged(tmp_path / "a.npz", b"abc"))
    assert hashes.sha256(_aged(tmp_path / "a.npz", b"abd", seconds=90)) != first


def test_a_file_that_is_still_changing_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, read = tmp_path / "a.npz", _counted(monkeypatch)
    path.write_bytes(b"abc")
    hashes = InputHashes(tmp_path / "output")
    hashes.sha256(path)
    hashes.sha256(path)
    hashes.save()
    assert read == ["a.npz", "a.npz"]
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 3}'])
def test_a_broken_cache_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / CACHE).parent.mkdir()
    (tmp_path / CACHE).write_text(text)
    path = _aged(tmp_path / "a.npz", b"abc")
    hashes = InputHashes(tmp_path)
    assert hashes.sha256(path).startswith("ba7816")
    hashes.save()
    assert str(path) in (tmp_path / CACHE).read_text()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        InputHashes(tmp_path).sha256(tmp_path / "a.npz")
