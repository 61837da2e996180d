"""Which results there are: looked for by several processes where there are very many, and remembered."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from pipeline.atomic import write_text_atomic
from pipeline.errors import StoreError
from pipeline.logs import LOGGER
from pipeline.store import DATA, MANIFEST, fingerprint_of

WORTH = 1000
"""results of a stage from which on remembering them is faster than reading them"""
MANY = 20_000
"""results of a run from which on starting processes is worth its time"""
_PROCESSES = 8

Find = Callable[[Path], Mapping[str, str]]
"""folder -> fingerprint of each complete result in it, by name"""


@contextmanager
def finding(folders: Sequence[Path], names: Sequence[str], output: Path) -> Iterator[Find]:
    """What there is of the results ``names`` in each of ``folders``, below ``output``.

    Very many are looked for by processes, in all folders at once, while the caller does something else.
    """
    searches = {folder: _Search(folder, _there(folder, names), _memory(folder, output)) for folder in folders}
    if sum(len(search.names) for search in searches.values()) < MANY:
        yield lambda folder: found_in(*searches[folder])
        return
    processes = min(_PROCESSES, os.cpu_count() or 1)
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield _ByProcesses(pool, searches)


class _Search(NamedTuple):
    """What ``found_in`` needs."""

    folder: Path
    names: list[str]
    """of entries that are there"""
    memory: Path


class _ByProcesses:
    """Waits for what processes find. Where they are killed or cannot start, this process looks, and says so once."""

    def __init__(self, pool: ProcessPoolExecutor, searches: Mapping[Path, _Search]) -> None:
        self._searches = searches
        self._begun: dict[Path, Future[dict[str, str]]] = {}
        self._alone = False
        for folder, search in searches.items():
            try:
                self._begun[folder] = pool.submit(found_in, *search)
            except (BrokenProcessPool, OSError) as error:
                self._go_on_alone(error)
                return

    def __call__(self, folder: Path) -> Mapping[str, str]:
        if folder in self._begun:
            try:
                return self._begun[folder].result()
            except BrokenProcessPool as error:
                self._go_on_alone(error)
        return found_in(*self._searches[folder])

    def _go_on_alone(self, error: Exception) -> None:
        if not self._alone:
            LOGGER.warning(
                "processes that look for results were killed or could not start (%s; too little memory?): "
                "looking without them, which takes longer",
                error,
            )
        self._alone = True


def found_in(folder: Path, names: Sequence[str], memory: Path) -> dict[str, str]:
    """The complete results among ``names`` in ``folder`` and their fingerprints, as ``fingerprint_of`` tells them.

    A result is never changed in place: as long as its manifest is the same file, unchanged, and its data have the same
    size, reading it would tell what it told before, which is kept in ``memory``. Nothing but sizes and times is then
    asked of the disk, while half a million small files seldom stay in a machine's cache.
    """
    remembered = _load(memory)
    entries, found = {}, {}
    for name in names:
        path = f"{folder}/{name}"
        stamp = _stamp(path)  # before it is read: if it is replaced meanwhile, this stamp fits nothing
        entry = remembered.get(name, "")
        fingerprint = entry[len(stamp) :] if stamp and entry.startswith(stamp) else fingerprint_of(path)
        if fingerprint is not None:
            found[name], entries[name] = fingerprint, stamp + fingerprint
    if len(entries) >= WORTH and entries != remembered:
        with suppress(StoreError):  # where nothing can be written, a plan can still be shown
            write_text_atomic(memory, json.dumps(entries))
    return found


def _memory(folder: Path, output: Path) -> Path:
    return output / "cache" / "results" / f"{'_'.join(folder.relative_to(output).parts)}.json"


def _there(folder: Path, names: Sequence[str]) -> list[str]:
    """The names of ``folder``'s entries among ``names``."""
    try:
        listed = frozenset(os.listdir(folder))  # noqa: PTH208 (names alone, of which there may be very many)
    except OSError:
        return []
    return [name for name in names if name in listed]


def _stamp(folder: str) -> str:
    """Number of the manifest's inode, its size, the time of its last change, and the size of the data; else nothing."""
    try:
        manifest = os.stat(f"{folder}/{MANIFEST}")  # noqa: PTH116 (a Path would take as long as the call itself)
        data = os.stat(f"{folder}/{DATA}")  # noqa: PTH116
    except OSError:
        return ""
    if not stat.S_ISREG(data.st_mode):
        return ""
    return f"{manifest.st_ino} {manifest.st_size} {manifest.st_mtime_ns} {data.st_size} "


def _load(memory: Path) -> dict[str, str]:
    """What was remembered; a file that cannot be read is as good as none."""
    try:
        entries = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) and all(isinstance(entry, str) for entry in entries.values()) else {}
