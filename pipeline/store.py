"""Results on disk: written to a temporary sibling, committed by one rename, opened by whoever needs them.

A result is a folder with ``data.zarr``, ``manifest.json`` and possibly further files. The manifest lists every other
file with its size, so that a torn folder is seen without reading an array.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pipeline.atomic import remove, sweep, temporary_sibling, write_text_atomic, writing
from pipeline.errors import StoreError
from pipeline.stage import Array, Result

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "commit",
    "fingerprint_of",
    "intact_manifest",
    "read_arrays",
    "read_manifest",
    "sweep",
    "write_text_atomic",
]

DATA = "data.zarr"
MANIFEST = "manifest.json"
_CHUNK_BYTES = 64 * 2**20
_RENAME_ATTEMPTS = 1000
_REMEDY = "remove that folder and run again: it will be computed anew"


def commit(folder: Path, result: Result, manifest: Mapping[str, Any], *, replace: bool = False) -> bool:
    """Stores ``result`` as ``folder``; True if it was stored, False if the same result was there already.

    The manifest must hold ``fingerprint``. A complete folder with that fingerprint is kept, unless ``replace`` is set;
    any other one is moved aside, replaced and removed. Whenever the process dies, ``folder`` is the old result,
    missing, or the new one as a whole. Raises StoreError where the result cannot be written.
    """
    temporary = temporary_sibling(folder)
    with writing(folder):
        try:
            temporary.mkdir(parents=True)
            _write(temporary, result, manifest)
            return _rename(temporary, folder, str(manifest["fingerprint"]), replace)
        finally:
            remove(temporary)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a committed folder; raises StoreError where there is none or it is torn."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder} is no result of boxgp: it has no {MANIFEST}; run the stage again") from error
    except OSError as error:
        raise StoreError(f"{folder / MANIFEST} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise StoreError(f"{folder / MANIFEST} is torn ({error}); {_REMEDY}") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("fingerprint"), str):
        raise StoreError(f"{folder / MANIFEST} is no manifest of boxgp: it has no fingerprint; {_REMEDY}")
    return manifest


def intact_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a complete result, None where the result is missing or torn."""
    try:
        manifest = read_manifest(folder)
    except StoreError:
        return None
    return manifest if _first_torn(folder, manifest) is None else None


def fingerprint_of(folder: Path) -> str | None:
    """The fingerprint of the complete result in ``folder``, None where it is missing or torn."""
    manifest = intact_manifest(folder)
    return None if manifest is None else manifest["fingerprint"]


def read_arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays and attributes of ``folder/data.zarr``; raises StoreError for a missing, torn or foreign store."""
    import zarr

    if not folder.is_dir():
        raise StoreError(f"{folder} does not exist: run the stage that writes it")
    if (folder / MANIFEST).exists():
        torn = _first_torn(folder, read_manifest(folder))
        if torn is not None:
            raise StoreError(f"{folder} is torn: {torn} is missing or has another size; {_REMEDY}")
    try:
        group = zarr.open_group(folder / DATA, mode="r", zarr_format=3)
        return {name: _read(array) for name, array in group.arrays()}, dict(group.attrs)
    except FileNotFoundError as error:
        raise StoreError(f"{folder} is no result of boxgp: it has no {DATA} (zarr v3); run the stage again") from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise StoreError(f"{folder / DATA} cannot be read ({error}); {_REMEDY}") from error


def _read(array: Any) -> np.ndarray:
    import numpy as np

    # zarr reads a missing chunk as fill values; ours are written even where they hold nothing else
    if array.nchunks_initialized != array.nchunks:
        raise ValueError(f"{array.nchunks - array.nchunks_initialized} chunks of {array.basename} are missing")
    return np.asarray(array[...])


def _first_torn(folder: Path, manifest: Mapping[str, Any]) -> str | None:
    """The first listed file that is missing or has another size than it was written with."""
    contents = manifest.get("contents")
    if not isinstance(contents, dict):
        return MANIFEST
    for name, size in contents.items():
        try:
            if (folder / name).stat().st_size != size:
                return str(name)
        except OSError:
            return str(name)
    return None


def _write(folder: Path, result: Result, manifest: Mapping[str, Any]) -> None:
    import zarr

    group = zarr.open_group(folder / DATA, mode="w", zarr_format=3)
    group.attrs.update(dict(result.attributes))
    for name, array in result.arrays.items():
        _write_array(group, name, array)
    for name, content in result.files.items():
        path = folder / _checked_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    contents = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    text = json.dumps({**manifest, "contents": contents}, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _write_array(group: Any, name: str, array: Array) -> None:
    import numpy as np
    from zarr.codecs import ZstdCodec

    values = np.ascontiguousarray(array.values).reshape(array.values.shape)  # which gives scalars a dimension
    if values.ndim != len(array.dimensions):
        raise StoreError(f"array {name} has {values.ndim} dimensions, but the stage names {list(array.dimensions)}")
    shape: tuple[int, ...] = array.values.shape
    chunks = tuple(max(1, length) for length in shape)
    if values.nbytes > _CHUNK_BYTES:
        chunks = (max(1, _CHUNK_BYTES * len(values) // values.nbytes), *chunks[1:])
    group.create_array(
        name,
        data=values,
        chunks=chunks,
        compressors=ZstdCodec(level=3, checksum=True),
        dimension_names=array.dimensions,
        config={"write_empty_chunks": True},
    )


def _checked_name(name: str) -> str:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] in {"/", DATA, MANIFEST} or ".." in parts:
        raise StoreError(f"{name!r} cannot be the name of a file beside {DATA}")
    return name


def _rename(temporary: Path, folder: Path, fingerprint: str, replace: bool) -> bool:
    """Puts ``temporary`` in the place of ``folder``, against any number of processes that do the same."""
    for _ in range(_RENAME_ATTEMPTS):
        if not replace and fingerprint_of(folder) == fingerprint:
            return False
        if _moved(temporary, folder):
            return True
        aside = temporary_sibling(folder)
        if _moved(folder, aside):
            # between the look and the rename, somebody may have committed this very result: it goes back
            if not replace and fingerprint_of(aside) == fingerprint and _moved(aside, folder):
                return False
            stored = _moved(temporary, folder)
            remove(aside)
            if stored:
                return True
    raise StoreError(f"{folder} cannot be stored: other processes keep writing it; stop them, then run again")


def _moved(source: Path, target: Path) -> bool:
    """Renames a folder; False where ``source`` is missing or ``target`` holds something."""
    try:
        source.rename(target)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True
