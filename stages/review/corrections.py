"""What people said of the regions of a scene: one small JSON file a scene in the folder of the run."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.atomic import write_text_atomic, writing
from pipeline.errors import StoreError
from stages.typing import Int32

FORMAT, VERSION = "boxgp.corrections", 1
FOLDER = "corrections"
UNTOUCHED, BACKGROUND = -2, -1
"""Owners that are no box: nobody said anything of the region (as an entry: whoever did takes it back), no object."""
_LOCK = ".lock"
_REMEDY = "restore it or move it away, then review the scene again"


class ConflictError(StoreError):
    """Somebody else changed the corrections of a scene since they were read: read them again."""


@dataclass(frozen=True)
class Correction:
    """One thing that one person said of one region."""

    region: int
    """0..S-1"""
    owner: int
    """0..K-1, or BACKGROUND, or UNTOUCHED to take back what was said of the region"""
    when: str
    """ISO 8601 with seconds, UTC"""
    reviewer: str | None = None


@dataclass(frozen=True)
class Corrections:
    """All corrections of one scene.

    ``entries`` best only grow, UNTOUCHED entries undoing others: then their number tells whether two writers have seen
    the same, whatever either of them undid.
    """

    scene: str
    superpoints: str
    """fingerprint of the result of superpoints that the regions belong to"""
    entries: tuple[Correction, ...] = ()
    """in the order in which they were made; a later one of the same region wins"""

    def owners(self, regions: int, boxes: int) -> Int32[np.ndarray, " S"]:
        """What was said last of each of so many regions: UNTOUCHED, BACKGROUND or a box 0..K-1.

        Raises ValueError for regions and boxes that do not exist.
        """
        owners = np.full(regions, UNTOUCHED, np.int32)
        for place, entry in enumerate(self.entries):
            if not 0 <= entry.region < regions:
                raise ValueError(f"entry {place} is about region {entry.region}, but there are {regions} regions")
            if not UNTOUCHED <= entry.owner < boxes:
                raise ValueError(f"entry {place} names box {entry.owner}, but there are {boxes} boxes")
            owners[entry.region] = entry.owner
        return owners


def corrections_file(run: Path, scene: str) -> Path:
    """Where the corrections of a scene lie, whether there are any or not."""
    return run / FOLDER / f"{scene}.json"


def read_corrections(path: Path) -> Corrections:
    """The corrections in a file; raises StoreError where it is missing, corrupt, foreign or of another version."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): correct that, then try again") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is corrupt ({error}); {_REMEDY}") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise StoreError(f"{path} holds no corrections of boxgp: its format is not {FORMAT!r}; {_REMEDY}")
    if values.get("version") != VERSION:
        raise StoreError(
            f"{path} has version {values.get('version')!r} of {FORMAT}; this boxgp reads version {VERSION}: use the "
            f"boxgp that wrote it, or {_REMEDY}"
        )
    try:
        corrections = _from_json(values)
    except (ValueError, TypeError, KeyError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise StoreError(f"{path} is corrupt ({what}); {_REMEDY}") from error
    if corrections.scene != path.stem:
        raise StoreError(f"{path} holds the corrections of scene {corrections.scene!r}; {_REMEDY}")
    return corrections


def write_corrections(path: Path, corrections: Corrections, *, expected: int) -> None:
    """Puts ``corrections`` in the place of the ``expected`` entries that the writer believes to be there (0: no file).

    Without entries the file is removed, as if nobody had ever said anything. Raises ConflictError where the file has
    another number of entries or belongs to other superpoints, and StoreError where it is corrupt or cannot be written:
    the file then is as it was.
    """
    with _locked(path):
        present = read_corrections(path) if path.exists() else None
        count = 0 if present is None else len(present.entries)
        if count != expected:
            raise ConflictError(
                f"{path} has {count} entries instead of {expected}: somebody else reviews this scene; load it again"
            )
        if present is not None and present.superpoints != corrections.superpoints:
            raise ConflictError(
                f"{path} belongs to superpoints {present.superpoints[:12]}, not {corrections.superpoints[:12]}: the "
                "regions are others now; move the file away, load the scene again and review it again"
            )
        if corrections.entries:
            write_text_atomic(path, _to_json(corrections))
        else:
            with writing(path):
                path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Lets one process or thread at a time look at a file and change it."""
    lock = path.with_name(_LOCK)
    with writing(path):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    with file:  # closing it gives the lock back, even where the process is killed
        with writing(path):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _to_json(corrections: Corrections) -> str:
    entries = [json.dumps(asdict(entry)) for entry in corrections.entries]
    head = {"format": FORMAT, "version": VERSION, "scene": corrections.scene, "superpoints": corrections.superpoints}
    return json.dumps(head)[:-1] + ', "entries": [\n' + ",\n".join(entries) + "\n]}\n"


def _from_json(values: dict[str, Any]) -> Corrections:
    entries = values["entries"]
    if not isinstance(entries, list):
        raise TypeError("entries are no list")
    scene, superpoints = (_text(values[name], name) for name in ("scene", "superpoints"))
    return Corrections(scene, superpoints, tuple(_entry(place, entry) for place, entry in enumerate(entries)))


def _entry(place: int, values: Any) -> Correction:
    if not isinstance(values, dict) or values.keys() - {"region", "owner", "when", "reviewer"}:
        raise TypeError(f"entry {place} is none")
    region, owner = values["region"], values["owner"]
    if type(region) is not int or type(owner) is not int or region < 0 or owner < UNTOUCHED:
        raise ValueError(f"entry {place} has region {region!r} and owner {owner!r}")
    when, reviewer = _text(values["when"], "when"), values.get("reviewer")
    datetime.fromisoformat(when)
    return Correction(region, owner, when, None if reviewer is None else _text(reviewer, "reviewer"))


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
