"""``boxgp release --verify``: whether a release is what its checksums say, wherever it came from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from pipeline.errors import InputError, StoreError
from pipeline.show import count
from stages.export.delivery import BOOKS
from stages.pseudo_labels.store import read_labels
from stages.release.folder import SUMS, checksum_of, published_names, read_sums

_LABELS, _SUFFIX = "labels/", ".zarr.zip"
_FETCH = "fetch it again from where it came"


def verify(folder: Path) -> int:
    """Prints one sentence for everything that is wrong, or how much is right; returns the number of problems.

    Raises InputError where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give that of a release")
    try:
        sums = read_sums(folder)
    except StoreError as error:
        print(error)
        return 1
    there = set(published_names(folder))
    problems = 0
    for problem in (*_extra(there - sums.keys()), *_wrong(folder, sums, there)):
        print(problem, flush=True)
        problems += 1
    scenes = sum(_is_labels(name) for name in sums)
    if not scenes:
        print(f"{SUMS} names no labels: this is no release of boxgp")
        problems += 1
    whole = f"{folder}: {count(len(sums), 'file')} of {count(scenes, 'scene')}"
    print(f"\n{whole}, {count(problems, 'problem')}" if problems else f"{whole}, all as they were released")
    return problems


def _extra(names: set[str]) -> Iterator[str]:
    books = {name for name in names if name.startswith(f"{BOOKS}/")}
    if books:
        yield f"{BOOKS}/ is left over and names machines: release again into this folder, or remove it"
    yield from (f"{name} is no file of this release: remove it" for name in sorted(names - books))


def _wrong(folder: Path, sums: dict[str, str], there: set[str]) -> Iterator[str]:
    for name, checksum in sorted(sums.items()):
        path = folder / PurePosixPath(name)
        if name not in there:
            yield f"{name} is missing: {_FETCH}"
            continue
        try:
            changed = checksum_of(path) != checksum
        except OSError as error:
            yield f"{name} cannot be read ({error.strerror}): {_FETCH}"
            continue
        if changed:
            yield f"{name} is not as it was released: {_FETCH}"
        elif _is_labels(name):
            yield from _unreadable(path, name)


def _unreadable(path: Path, name: str) -> Iterator[str]:
    """Labels that were released broken."""
    try:
        labels = read_labels(path)
    except (StoreError, KeyError, ValueError, TypeError) as error:
        yield f"{name} holds no labels of boxgp ({error}), although it is as it was released: tell who released it"
        return
    if f"{_LABELS}{labels.scene}{_SUFFIX}" != name:
        yield f"{name} holds the labels of scene {labels.scene}: tell who released it"


def _is_labels(name: str) -> bool:
    return name.startswith(_LABELS) and name.endswith(_SUFFIX)
