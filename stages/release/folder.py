"""The folder of a release on disk: whose it is, what is in it, its checksums, and what may not stay in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.atomic import write_text_atomic, writing
from pipeline.errors import InputError, StoreError
from stages.export.delivery import BOOKS, write_file

SUMS = "SHA256SUMS"
RECIPE = "recipe.json"
_REQUEST = "release.json"
"""among the books: what an unfinished release is made of"""
_PARTIAL = "partial"
_FETCHED = (".git/", ".gitattributes", ".cache/huggingface/")
"""what git and Hugging Face's client put into a folder that they fetch"""
_SHOWN = 5


def labels_name(scene: str) -> str:
    """Where the labels of a scene lie in a release."""
    return f"labels/{scene}.zarr.zip"


def scan_name(scene: str) -> str:
    """Where a scan lies in a release that holds scans."""
    return f"scans/{scene}.npz"


def books_of(folder: Path) -> Path:
    """Holds receipts, logs and failures until the release is finished: they name hosts and paths."""
    return folder / BOOKS


def deliver(folder: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Writes files of a release, each whole or not at all; name -> size and sha256 of each."""
    receipt = {}
    for name, content in files.items():
        write_file(folder / PurePosixPath(name), content, books_of(folder) / _PARTIAL)
        receipt[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return receipt


def claim(folder: Path, request: Mapping[str, Any]) -> None:
    """Makes ``folder`` that of an unfinished release, or goes on with the same one.

    Raises InputError where it holds anything else.
    """
    begun = books_of(folder) / _REQUEST
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: choose a folder that is empty or new")
    try:
        before = json.loads(begun.read_text(encoding="utf-8"))
    except FileNotFoundError:
        before = None
    except (OSError, ValueError) as error:
        raise InputError(f"{begun} cannot be read ({error}): remove {folder}, then release again") from error
    if before is None:
        there = [name for name in _names(folder) if not name.startswith(f"{BOOKS}/")]
        if there:
            raise InputError(f"{folder} holds other files ({_few(there)}): choose a folder that is empty or new")
        try:
            write_text_atomic(begun, json.dumps(request, indent=1) + "\n")
        except StoreError as error:
            raise InputError(f"the folder of the release cannot be used: {error}") from error
    elif before != dict(request):
        changed = ", ".join(name for name in request if before.get(name) != request[name])
        raise InputError(
            f"{folder} holds an unfinished release with another {changed}: finish it with the command that began it, "
            "remove the folder, or choose another one"
        )


def finished_as(folder: Path) -> str | None:
    """What the finished release in ``folder`` is made of (``release`` in its recipe), None where there is none.

    Empty where its recipe cannot be read.
    """
    if not (folder / SUMS).is_file():
        return None
    try:
        recipe = json.loads((folder / RECIPE).read_text(encoding="utf-8"))
        return str(recipe["release"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def finish(folder: Path, sums: Mapping[str, str]) -> None:
    """Writes the checksums and removes the books, in this order: without checksums a release is unfinished.

    Raises InputError where files lie in the folder that are none of the release's.
    """
    foreign = [name for name in _names(folder) if name not in sums and not name.startswith(f"{BOOKS}/")]
    if foreign:
        raise InputError(f"{folder} holds files of others ({_few(foreign)}): move them away, then release again")
    text = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(sums.items()))
    write_file(folder / SUMS, text.encode(), books_of(folder) / _PARTIAL)
    clear_books(folder)


def clear_books(folder: Path) -> None:
    """Removes what may not be published; raises StoreError where that is impossible."""
    books = books_of(folder)
    if books.exists():
        with writing(books):
            shutil.rmtree(books)


def remove_file(folder: Path, name: str) -> None:
    """Removes a file of a scene that no longer belongs to the release."""
    path = folder / PurePosixPath(name)
    with writing(path):
        path.unlink(missing_ok=True)


def read_sums(folder: Path) -> dict[str, str]:
    """Name -> sha256 of every file of a finished release.

    Raises StoreError where there are no checksums, or lines that are none.
    """
    path = folder / SUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing: this release is not finished, or {folder} is none") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{path} cannot be read ({error}): fetch it again") from error
    sums = {}
    for number, line in enumerate(lines, 1):
        checksum, _, name = line.partition("  ")
        inside = name and not name.startswith("/") and ".." not in PurePosixPath(name).parts
        if not inside or len(checksum) != hashlib.sha256().digest_size * 2:
            raise StoreError(f"{path}, line {number}: no checksum and name of a file of this folder; fetch it again")
        sums[name] = checksum
    return sums


def published_names(folder: Path) -> list[str]:
    """Every file in a release but its checksums and what came with fetching it, sorted; names have ``/`` between."""
    return [name for name in _names(folder) if name != SUMS and not name.startswith(_FETCHED)]


def checksum_of(path: Path) -> str:
    """sha256 of a file, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _names(folder: Path) -> list[str]:
    return sorted(_walk(str(folder), ""))


def _walk(folder: str, before: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}): choose another folder") from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{before}{entry.name}/")
        else:
            yield f"{before}{entry.name}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
