"""Fixtures and settings of all tests."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from slurm_cluster import SlurmCluster

# Before any test module imports torch or numba: on one thread, small tensors on a shared machine are fastest and sums
# repeat to the bit. Workers that tests start inherit it.
os.environ["OMP_NUM_THREADS"] = "1"


def _folder_from_environment(name: str) -> Path:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set: the folder of the real scans is unknown")
    folder = Path(value)
    if not folder.is_dir():
        pytest.fail(f"{name} names {folder}, which is no folder")
    return folder


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # started in the background of a script: programs that the tests start would never see Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_scans() -> Path:
    """Folder of real scans as .npz files (``scene0000_00_full.npz``, ...)."""
    return _folder_from_environment("BOXGP_REAL_SCANS")


@pytest.fixture(scope="session")
def real_raw() -> Path:
    """Folder that holds a scan in ScanNet's own files (``scene0000_00/``)."""
    return _folder_from_environment("BOXGP_REAL_RAW")


@pytest.fixture(scope="session")
def slurm() -> Iterator[SlurmCluster]:
    """A SLURM of our own, which commands find by ``SLURM_CONF`` until the tests end."""
    sys.path.insert(0, str(Path(__file__).parent / "pipeline"))
    from slurm_cluster import running_slurm, why_not

    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with running_slurm() as cluster:
        yield cluster
