"""A real SLURM for tests: one node, three daemons of our own in a temporary folder, ended when the tests end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

MAX_ARRAY_SIZE = 4
"""small, so that a handful of scenes needs several arrays"""
SLOTS = 4
"""jobs that run at the same time"""
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_PATIENCE_SECONDS = 30.0
_CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={controller}
SlurmdPort={node}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
ReturnToService=2
KillWait=2
MinJobAge=600
MaxArraySize={arrays}
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 Gres=gpu:2 CPUs={slots} RealMemory=16000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=60 State=UP OverSubscribe=NO
"""


def why_not() -> str | None:
    """Why no SLURM can be started here, None where one can."""
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"SLURM cannot be started: {', '.join(missing)} not installed (slurmctld, slurmd, slurm-client, munge)"
    return None if os.geteuid() == 0 else "SLURM cannot be started: only root can"


@dataclass
class SlurmCluster:
    """The running SLURM; its commands find it by ``SLURM_CONF``, which is set while it runs."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def configuration(self) -> Path:
        """The slurm.conf."""
        return self.folder / "slurm.conf"

    def start_daemon(self, name: str) -> None:
        """Starts munged, slurmctld or slurmd."""
        command = {
            "munged": ["--foreground", "--force", *(f"--{kind}={self.folder}/munge.{end}" for kind, end in _MUNGE)],
            "slurmctld": ["-D", "-i", "-f", str(self.configuration)],
            "slurmd": ["-D", "-f", str(self.configuration), "-N", _host()],
        }[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen([name, *command], stdout=log, stderr=log, cwd=self.folder)

    def stop_daemon(self, name: str) -> None:
        """Ends munged, slurmctld or slurmd, and waits until it is gone."""
        process = self.processes.pop(name, None)
        if process is not None:
            process.terminate()
            try:
                process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wait_until_idle(self) -> None:
        """Waits until the node is there and the queue is empty."""
        self._wait(lambda: self.state_of_node() == "idle", "become idle")

    def state_of_node(self) -> str | None:
        """``idle``, ``mix``, ..., None where SLURM does not answer; a drained node is put back, as people would do."""
        state = _answer("sinfo", "--noheader", "--format=%t")
        if state is not None and state.startswith(("drain", "drng")):
            _answer("scontrol", "update", f"nodename={_host()}", "state=resume")
        return state

    def cancel_all(self) -> None:
        """Ends all jobs, and waits until they are gone."""
        _answer("scancel", "--user=root")
        self._wait(lambda: _answer("squeue", "--noheader") == "", "empty its queue")

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not ready():
            if time.monotonic() > deadline:
                logs = "\n".join(path.read_text(errors="replace")[-1000:] for path in self.folder.glob("*.log"))
                raise TimeoutError(f"SLURM did not {what} within {_PATIENCE_SECONDS} s:\n{logs}")
            time.sleep(0.1)


_MUNGE = (
    ("key-file", "key"),
    ("socket", "socket"),
    ("pid-file", "pid"),
    ("log-file", "own.log"),
    ("seed-file", "seed"),
)


@contextmanager
def running_slurm() -> Iterator[SlurmCluster]:
    """Starts a SLURM and ends it; ``SLURM_CONF`` names it meanwhile."""
    # not below pytest's folder: only root can enter that, and a socket's path must be short
    folder = Path(tempfile.mkdtemp(prefix="boxgp-slurm-"))
    folder.chmod(0o755)
    cluster = SlurmCluster(folder)
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)
    controller, node = _free_ports()
    cluster.configuration.write_text(
        _CONFIGURATION.format(
            folder=folder, host=_host(), controller=controller, node=node, arrays=MAX_ARRAY_SIZE, slots=SLOTS
        )
    )
    (folder / "gres.conf").write_text("Name=gpu File=/dev/zero\nName=gpu File=/dev/full\n")  # any two devices
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(cluster.configuration)
    try:
        for name in ("munged", "slurmctld", "slurmd"):
            cluster.start_daemon(name)
        cluster.wait_until_idle()
        yield cluster
        cluster.cancel_all()
    finally:
        for name in ("slurmd", "slurmctld", "munged"):
            cluster.stop_daemon(name)
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _host() -> str:
    return socket.gethostname().partition(".")[0]


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for listener in (one, other):
            listener.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _answer(*command: str) -> str | None:
    """What a command prints, None where it fails."""
    with suppress(subprocess.TimeoutExpired):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
        if ended.returncode == 0:
            return ended.stdout.strip()
    return None
