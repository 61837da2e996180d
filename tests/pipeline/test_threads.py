"""One thread for everything that computes in this process and in those that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from pipeline.threads import THREAD_VARIABLES, use_one_thread


def test_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(set_num_threads=threads.append))
    for name in THREAD_VARIABLES:
        monkeypatch.setenv(name, "7")
    use_one_thread()
    assert threads == [1]
    assert {os.environ[name] for name in THREAD_VARIABLES} == {"1"}


def test_torch_is_not_imported_for_it() -> None:
    statement = (
        "import sys; from pipeline.threads import use_one_thread; use_one_thread(); print('torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "False\n"
