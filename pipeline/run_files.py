"""Files of a run's own folder that tasks read beside results, such as corrections: people change them at any time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import InputError, SceneError
from pipeline.stage import SCENE_ID
from pipeline.tasks import PlannedTask


def run_files(output: Path, patterns: Sequence[str]) -> Mapping[str, tuple[Path, ...]]:
    """Scene -> those of its files that exist, in the order of ``patterns`` (``corrections/{scene}.json``).

    Each folder is listed once: a look for every scene would take planning of very many too long. Raises InputError
    where a folder cannot be read.
    """
    found: dict[str, tuple[Path, ...]] = {}
    if not output.is_dir():  # there is no run yet, or none can be: whoever writes to it will tell
        return found
    for pattern in patterns:
        folder, before, after = _parts(pattern)
        for name in _listing(output / folder):
            scene = name[len(before) : len(name) - len(after)]
            if name == f"{before}{scene}{after}" and SCENE_ID.fullmatch(scene):
                found[scene] = (*found.get(scene, ()), output / folder / name)
    return found


def check_unchanged(output: Path, task: PlannedTask) -> None:
    """Raises SceneError where a file of the run that ``task`` reads is no longer as it was planned.

    Raw files are large and seldom change; these are small, and a result must not keep the fingerprint of other ones.
    """
    for file in task.files:
        if file.path.is_relative_to(output) and _content(file.path) != file.content:
            raise SceneError(
                f"scene {task.scene}: {file.path.relative_to(output)} has changed since this run was planned: run "
                "again, and it counts as it is by then"
            )


def _parts(pattern: str) -> tuple[str, str, str]:
    """Folder, and what stands before and after the scene in the name of a file."""
    folder, _, name = pattern.rpartition("/")
    before, _, after = name.partition("{scene}")
    return folder, before, after


def _listing(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 (a Path each would take longer than the listing)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"{folder} cannot be read ({error.strerror}): correct its permissions, then run again"
        ) from error


def _content(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None
