"""Which GPUs are found, with a nvidia-smi of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.gpus import visible_gpus


def _nvidia_smi(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        ("0", ("0",)),
        ("2, 0", ("2", "0")),
        ("GPU-8f1,MIG-77", ("GPU-8f1", "MIG-77")),
        ("", ()),
        ("-1", ()),
        ("NoDevFiles", ()),
        ("1,-1,2", ("1",)),
    ],
)
def test_the_variable_decides(allowed: str, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert visible_gpus() == found


class TestOfDriver:
    @pytest.fixture(autouse=True)
    def _no_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def test_each_gpu_by_its_uuid(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script = '[ "$*" = "--query-gpu=uuid --format=csv,noheader" ] || exit 2\necho GPU-1a; echo GPU-2b'
        _nvidia_smi(tmp_path / "bin", script, monkeypatch)
        assert visible_gpus() == ("GPU-1a", "GPU-2b")

    @pytest.mark.parametrize("script", ["echo no devices were found", "echo GPU-1a; exit 9"])
    def test_none_where_the_driver_has_none(self, script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _nvidia_smi(tmp_path / "bin", script, monkeypatch)
        assert visible_gpus() == ()

    def test_none_without_a_driver(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert visible_gpus() == ()
