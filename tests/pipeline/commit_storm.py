"""Processes that commit the same folder at once, and that are killed while they do; run as a script by the tests.

The parent only forks, waits and kills: it never commits, so that its children start without zarr's threads.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import zarr  # noqa: F401 (before the forks, so that no child imports it again)

from pipeline.stage import Array, Result
from pipeline.store import commit, fingerprint_of, read_arrays, sweep


def result(value: int) -> Result:
    """A result whose every array tells which one it is."""
    arrays = {f"array_{number}": Array(np.full((50, 7), value, np.int32), ("row", "column")) for number in range(12)}
    return Result(arrays, {"value": value}, files={"note.txt": b"%d" % value})


def store(folder: Path, value: int) -> bool:
    """Commits the result of one value."""
    return commit(folder, result(value), {"fingerprint": f"fingerprint {value}"})


def values_in(folder: Path) -> set[int]:
    """All values found in a committed folder: one, unless contents were mixed."""
    arrays, attributes = read_arrays(folder)
    found = {int(value) for array in arrays.values() for value in np.unique(array)}
    return found | {attributes["value"], int((folder / "note.txt").read_text())}


def content_hash(folder: Path) -> str:
    """sha256 of every byte of data.zarr.zip."""
    return hashlib.sha256((folder / "data.zarr.zip").read_bytes()).hexdigest()


def tell(values: object) -> None:
    """Prints one line of JSON in one piece: other processes write there at the same time."""
    os.write(1, f"{json.dumps(values)}\n".encode())


def forked(work: Callable[[], object]) -> int:
    """Runs ``work`` in a child; returns its process id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 (a forked child must not come back)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def race(folder: Path, processes: int, rounds: int, distinct: bool) -> None:
    """Processes commit the same folders at the same moments; each prints how many of its results were stored."""
    begin = time.time() + 0.5

    def compete(number: int) -> None:
        stored = []
        for turn in range(rounds):
            time.sleep(max(0.0, begin + 0.03 * turn - time.time()))
            stored.append(store(folder / str(turn), number if distinct else 0))
        tell(stored)

    children = [forked(partial(compete, number)) for number in range(processes)]
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        sys.exit(f"exit codes {codes}")


def kill(folder: Path, times: int, seed: int) -> None:
    """Children that store two results in turn are killed at random moments; prints what is left each time."""
    moments = random.Random(seed)
    for _ in range(times):

        def alternate() -> None:
            for turn in range(10_000):
                store(folder, turn % 2)

        child = forked(alternate)
        time.sleep(moments.uniform(0.05, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left = [entry.name for entry in folder.parent.iterdir() if entry.name.startswith(".")]
        reader = forked(partial(_tell_state, folder, left))  # reading starts threads: in a child
        if os.waitpid(reader, 0)[1]:
            sys.exit("the folder could not be read")


def _tell_state(folder: Path, left: list[str]) -> None:
    before = fingerprint_of(folder)
    values = sorted(values_in(folder)) if folder.exists() else None
    swept = len(sweep(folder.parent))
    store(folder, 0)
    hidden = [entry.name for entry in folder.parent.iterdir() if entry.name.startswith(".")]
    state = {
        "fingerprint": before,
        "values": values,
        "left": len(left),
        "swept": swept,
        "hidden": hidden,
        "hash": content_hash(folder),
        "exists": values is not None,
    }
    tell(state)


if __name__ == "__main__":
    arguments = sys.argv[2:]
    if sys.argv[1] == "race":
        race(Path(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3] == "distinct")
    else:
        kill(Path(arguments[0]), int(arguments[1]), int(arguments[2]))
