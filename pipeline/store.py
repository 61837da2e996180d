"""Results on disk: written to a temporary sibling, committed by one rename, opened by whoever needs them.

A result is a folder with ``data.zarr.zip`` (a zarr v3 group in one zip file), ``manifest.json`` and possibly further
files. The manifest lists every other file with its size, so that a torn folder is seen without reading an array.

Nothing is flushed to the disk by force (fsync): that costs milliseconds a result, more on network disks, and buys
little. After a loss of power a result may be gone, or be shorter than its manifest says: then it counts as missing and
is computed again. Where only the sizes survived, the checksum of every entry of the zip stops a reader.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
from collections.abc import Mapping
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from pipeline.atomic import remove, sweep, temporary_sibling, write_text_atomic, writing
from pipeline.errors import StoreError
from pipeline.stage import Array, Result

if TYPE_CHECKING:
    import numpy as np
    import zarr

__all__ = [
    "commit",
    "fingerprint_of",
    "intact_manifest",
    "read_arrays",
    "read_manifest",
    "sweep",
    "write_text_atomic",
]

DATA = "data.zarr.zip"
MANIFEST = "manifest.json"
_CHUNK_BYTES = 64 * 2**20
_GROUP_KEY = "zarr.json"
_HEADER_BYTES = 30
_MANIFEST_BYTES = 64 * 2**10
_MANIFEST_END = b"\n}\n"
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
        content = _content(f"{folder}/{MANIFEST}")
        manifest = None if _intact(str(folder), content) is None else json.loads(content)
    except (OSError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def fingerprint_of(folder: Path | str) -> str | None:
    """The fingerprint of the complete result in ``folder``, None where it is missing or torn.

    Planning asks this of every result: it parses one line and looks at the sizes of the files listed there.
    """
    try:
        return _intact(str(folder), _content(f"{folder}/{MANIFEST}"))
    except OSError:
        return None


def read_arrays(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays and attributes of ``folder/data.zarr.zip``; raises StoreError for a missing, torn or foreign store."""
    if not folder.is_dir():
        raise StoreError(f"{folder} does not exist: run the stage that writes it")
    if (folder / MANIFEST).exists():
        torn = _first_torn(str(folder), read_manifest(folder).get("contents"))
        if torn is not None:
            raise StoreError(f"{folder} is torn: {torn} is missing or has another size; {_REMEDY}")
    if not (folder / DATA).exists():
        raise StoreError(f"{folder} is no result of boxgp: it has no {DATA} (zarr v3); run the stage again")
    try:
        return read_zip(folder / DATA)
    except StoreError as error:
        raise StoreError(f"{error}; {_REMEDY}") from error


def read_zip(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All arrays and attributes of one file that is like ``data.zarr.zip``; raises StoreError for a damaged one."""
    import zarr
    from zarr.storage import ZipStore

    try:
        keys = _keys(path)
        with ZipStore(path, mode="r") as entries:
            group = zarr.open_group(entries, mode="r", zarr_format=3)
            return _read(group, keys), dict(group.attrs)
    # a damaged zip makes zipfile raise RuntimeError and OverflowError as well
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, BadZipFile, EOFError, OverflowError) as error:
        raise StoreError(f"{path} cannot be read ({error})") from error


def zip_bytes(result: Result) -> bytes:
    """Arrays and attributes of a result as the bytes of a ``data.zarr.zip``; equal results give equal bytes."""
    stream = io.BytesIO()
    with ZipFile(stream, "w") as entries:
        _write_group(entries, result)
    return stream.getvalue()


def _keys(path: Path) -> set[str]:
    with ZipFile(path) as entries:
        # the directory of a zip has no checksum: damage may hide entries, which then are gaps between the others
        length = sum(_HEADER_BYTES + len(one.filename.encode()) + one.compress_size for one in entries.infolist())
        if length != entries.start_dir:
            raise ValueError("the entries of the zip file do not fill it")
        return set(entries.namelist())


def _read(group: zarr.Group, keys: set[str]) -> dict[str, np.ndarray]:
    import numpy as np
    import zarr

    arrays: dict[str, np.ndarray] = {}
    foreign = keys - {_GROUP_KEY}
    for key in sorted(key for key in foreign if key.endswith(_GROUP_KEY)):
        name = key.removesuffix(f"/{_GROUP_KEY}")
        array = group[name]
        if not isinstance(array, zarr.Array):
            raise ValueError(f"{name} is no array")  # noqa: TRY004 (it is the file that is wrong)
        # zarr reads a missing chunk as fill values; ours are written even where they hold nothing else. Not counted by
        # nchunks_initialized: in a zip it takes the chunks of box_class for chunks of box, and raises
        chunks = _chunk_keys(name, array)
        if not chunks <= keys:
            raise ValueError(f"{len(chunks - keys)} chunks of {name} are missing")
        arrays[name] = np.asarray(array[...])
        foreign -= {key, *chunks}
    if foreign:
        raise ValueError(f"{min(foreign)!r} belongs to no array")
    return arrays


def _chunk_keys(name: str, array: zarr.Array[Any]) -> set[str]:
    counts = [-(-length // chunk) for length, chunk in zip(array.shape, array.chunks, strict=True)]
    return {"/".join((name, "c", *map(str, place))) for place in product(*map(range, counts))}


def _content(path: str) -> bytes:
    # no Path, no file object, no codec: this is most of the time that planning half a million results takes
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = os.read(descriptor, _MANIFEST_BYTES)
        if len(content) == _MANIFEST_BYTES:
            while more := os.read(descriptor, 2**20):
                content += more
    finally:
        os.close(descriptor)
    return content


def _intact(folder: str, content: bytes) -> str | None:
    """The fingerprint in the first line of a manifest if that is whole and so are the files listed there."""
    # only the outermost bracket stands at the start of a line, so that this is the end wherever the file was cut
    if not content.endswith(_MANIFEST_END):
        return None
    try:
        head = json.loads(content[: content.index(b"\n")].removesuffix(b",") + b"}")
        fingerprint = head["fingerprint"]
    except (ValueError, KeyError):
        return None
    return fingerprint if isinstance(fingerprint, str) and _first_torn(folder, head.get("contents")) is None else None


def _first_torn(folder: str, contents: Any) -> str | None:
    """The first listed file that is missing or has another size than it was written with."""
    if not isinstance(contents, dict):
        return MANIFEST
    if DATA not in contents:
        return DATA
    for name, size in contents.items():
        try:
            found = os.stat(f"{folder}/{name}")  # noqa: PTH116 (a Path would take as long as the call itself)
        except OSError:
            return str(name)
        if found.st_size != size or not stat.S_ISREG(found.st_mode):
            return str(name)
    return None


def _write(folder: Path, result: Result, manifest: Mapping[str, Any]) -> None:
    with (folder / DATA).open("wb") as file, ZipFile(file, "w") as entries:
        _write_group(entries, result)
    for name, content in result.files.items():
        path = folder / _checked_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    contents = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    head = json.dumps({"fingerprint": manifest["fingerprint"], "contents": contents})
    others = {key: value for key, value in manifest.items() if key not in {"fingerprint", "contents"}}
    others_text = ",\n" + json.dumps(others, indent=2).removeprefix("{\n") if others else "\n}"
    (folder / MANIFEST).write_text(head.removesuffix("}") + others_text + "\n", encoding="utf-8")


def _write_group(entries: ZipFile, result: Result) -> None:
    """Array by array, so that no more than one of them is held twice."""
    import zarr
    from zarr.core.buffer import Buffer
    from zarr.storage import MemoryStore

    written: dict[str, Buffer] = {}
    group = zarr.open_group(MemoryStore(written), mode="w", zarr_format=3, attributes=dict(result.attributes))
    write_entry(entries, _GROUP_KEY, written[_GROUP_KEY].to_bytes())
    for name in sorted(result.arrays):
        _write_array(group, name, result.arrays[name])
        for key in sorted(written.keys() - {_GROUP_KEY}):  # without the group's, zarr would write that again
            write_entry(entries, key, written.pop(key).to_bytes())


def write_entry(entries: ZipFile, key: str, content: bytes) -> None:
    """Adds an entry that carries no time, host or path: equal contents give equal bytes."""
    entry = ZipInfo(key)  # dated 1980-01-01, whatever the clock says
    entry.create_system, entry.external_attr = 3, 0o644 << 16  # on any system: Unix, rw-r--r--
    entries.writestr(entry, content)


def _write_array(group: zarr.Group, name: str, array: Array) -> None:
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
