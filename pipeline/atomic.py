"""Files and folders that appear whole or not at all: temporary siblings, one rename, and what remains of the killed."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from pipeline.errors import StoreError

ABANDONED_SECONDS = 24 * 3600.0
"""A temporary file of another host is taken for abandoned when it is older."""
_CLOCK_SECONDS = 60.0
"""How far the clocks of processes and of the file server may differ."""
_PARENTS = ("", "*/", "round_*/*/", "failures/*/", "failures/round_*/*/", "submissions/*/", "submissions/*/*/")
"""Folders of a run where temporary siblings may lie: not the results themselves, which may be very many."""
_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space, then run again",
    errno.EDQUOT: "the disk quota is used up: free some space, then run again",
    errno.EFBIG: "the file would be larger than this process may write: raise the limit (ulimit -f), then run again",
    errno.EROFS: "the file system is read-only: choose another output folder",
    errno.EACCES: "writing is not permitted: correct the permissions or choose another output folder",
    errno.EPERM: "writing is not permitted: correct the permissions or choose another output folder",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away, then run again",
    errno.EEXIST: "a file stands where a folder is needed: move it away, then run again",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError inside into a StoreError that names ``path`` and what to do."""
    try:
        yield
    except OSError as error:
        reason = _REMEDIES.get(error.errno or 0) or f"{error.strerror or error}: correct that, then run again"
        raise StoreError(f"{path} cannot be written: {reason}") from error


def temporary_sibling(path: Path) -> Path:
    """A new hidden name beside ``path`` that tells who works on it: ``.<name>@<host>@<pid>@<unique>``.

    ``@`` occurs in no scene id, so that such a name is never a result.
    """
    return path.with_name(f".{path.name}@{_host()}@{os.getpid()}@{uuid.uuid4().hex[:12]}")


def write_text_atomic(path: Path, text: str) -> None:
    """Writes ``text`` so that readers see the old or the new file, never a part; raises StoreError where it cannot."""
    temporary = temporary_sibling(path)
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        except BaseException:
            remove(temporary)
            raise


def remove(path: Path) -> None:
    """Removes a file or folder as far as that is possible; what stays is left to the next ``sweep``."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def sweep(output: Path) -> list[Path]:
    """Removes what killed processes left below ``output`` and returns it.

    A temporary file or folder is left over when its process is dead on this host, or when it is older than a day.
    """
    found = [path for parents in _PARENTS for path in output.glob(f"{parents}.*@*@*@*")]
    abandoned = [path for path in found if _abandoned(path)]
    for path in abandoned:
        remove(path)
    return abandoned


def _abandoned(path: Path) -> bool:
    _, host, pid, _ = path.name.rsplit("@", 3)
    try:
        modified = path.stat().st_mtime
    except OSError:
        return False
    if host == _host() and pid.isdigit() and not _at_work(int(pid), modified):
        return True
    return time.time() - modified > ABANDONED_SECONDS


def _at_work(pid: int, modified: float) -> bool:
    """Whether the process that last wrote at ``modified`` (seconds since 1970) still runs.

    A dead process keeps its number until init looks after it, and numbers come round again: a process that started
    after the last writing is another one.
    """
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= modified + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _host() -> str:
    return socket.gethostname().replace("@", "_").replace("/", "_")
