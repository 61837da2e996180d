"""Everything that a release holds, down to what its zip files hold."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from pipeline.store import read_zip


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file, hidden ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def every_byte(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file, of every entry of zip files, and of every array in stores."""
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        yield name, name.encode()
        if path.is_dir():
            continue
        yield name, path.read_bytes()
        if path.suffix in {".zip", ".npz"}:
            yield from _entries(path, name)


def _entries(path: Path, name: str) -> Iterator[tuple[str, bytes]]:
    with ZipFile(io.BytesIO(path.read_bytes())) as entries:
        for one in entries.namelist():
            yield f"{name}/{one}", one.encode() + entries.read(one)
    if path.suffix == ".zip":
        arrays, attributes = read_zip(path)
        yield f"{name} (attributes)", json.dumps(attributes).encode()
        for one, values in arrays.items():
            yield f"{name}/{one} (array)", np.ascontiguousarray(values).tobytes()
