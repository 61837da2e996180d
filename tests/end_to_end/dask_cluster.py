"""A dask cluster that somebody else started: `dask scheduler` and `dask worker` as processes of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from distributed import Client

from tests.end_to_end.marked_run import all_processes

_WORKERS = 2
_PATIENCE_SECONDS = 60.0


class DaskCluster:
    """A scheduler and two workers, each with its nanny, at one address as long as it is open."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.scheduler: subprocess.Popen[bytes]
        self.nannies: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        """Where clients and workers find the scheduler."""
        return f"tcp://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def restart(self) -> None:
        """Ends whatever is left and starts everything anew."""
        self._end()
        self._start()

    def workers(self) -> list[int]:
        """The dask workers; each is the child of a nanny."""
        nannies = {nanny.pid for nanny in self.nannies}
        return [one.pid for one in all_processes() if one.is_spawned and one.parent in nannies]

    def _start(self) -> None:
        options = ["--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard"]
        self.scheduler = self._process("scheduler", *options, "--dashboard-address", "127.0.0.1:0")
        worker = ["worker", self.address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(self._folder)]
        self.nannies = [self._process(*worker) for _ in range(_WORKERS)]
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            with suppress(OSError), Client(self.address, timeout=5, set_as_default=False) as client:
                client.wait_for_workers(_WORKERS, _PATIENCE_SECONDS)
                return
            assert time.monotonic() < until, (self._folder / "dask.log").read_text()

    def _end(self) -> None:
        for process in (*self.nannies, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _process(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "dask.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments], cwd=self._folder, stdout=log, stderr=log, process_group=0
            )
