"""Content hashes of raw files, computed once and cached with size and modification time."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

from pipeline.atomic import write_text_atomic

_SETTLED_NANOSECONDS = 2_000_000_000
"""A file changed within this time may change again without another modification time: its hash is not cached."""


class InputHashes:
    """sha256 of raw files, remembered in ``<output>/cache/input_hashes.json``."""

    def __init__(self, output: Path) -> None:
        self._path = output / "cache" / "input_hashes.json"
        self._entries = _load(self._path)
        self._changed = False

    def sha256(self, file: Path) -> str:
        """The content hash of ``file``, 64 hexadecimal digits; raises OSError where it cannot be read."""
        key = os.path.abspath(file)  # noqa: PTH100 (a Path takes five times as long)
        before = _stamp(key)
        cached = self._entries.get(key)
        if cached is not None and (cached[0], cached[1]) == before:
            return str(cached[2])
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        if _stamp(key) == before and time.time_ns() - before[1] > _SETTLED_NANOSECONDS:
            self._entries[key] = [*before, content]
            self._changed = True
        return content

    def save(self) -> None:
        """Writes the cache where it has changed; raises StoreError where it cannot."""
        if self._changed:
            write_text_atomic(self._path, json.dumps(self._entries, indent=1, sort_keys=True) + "\n")
            self._changed = False


def _load(path: Path) -> dict[str, list[int | str]]:
    """The cached entries; a cache that cannot be read is as good as none."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {key: entry for key, entry in entries.items() if isinstance(entry, list) and len(entry) == 3}


def _stamp(file: str) -> tuple[int, int]:
    status = os.stat(file)  # noqa: PTH116 (a Path would take as long as the call itself)
    return status.st_size, status.st_mtime_ns
