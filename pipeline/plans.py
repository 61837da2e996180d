"""Plans on disk: a folder in ``plans/`` with a header and one file of rows a step, read when it is needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, overload

import yaml

from pipeline.atomic import remove, temporary_sibling, write_text_atomic, writing
from pipeline.errors import InputError, StoreError
from pipeline.tasks import Plan, RawFile, Reason, Row, Step, many_rows

PLAN_FORMAT = 3
HEADER = "plan.json"
_SHARED = tuple(one.name for one in fields(Step) if one.name != "rows")


def save_plan(plan: Plan) -> Path:
    """Writes ``config.yaml`` and the plan into ``plans/``; returns its folder. InputError where that is impossible."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    folder = plan.output / "plans" / moment
    temporary = temporary_sibling(folder)
    try:
        with writing(folder):
            temporary.mkdir(parents=True)
            for place, step in enumerate(plan.steps):
                _write_rows(temporary / _rows_name(place, step.stage), step.rows)
            (temporary / HEADER).write_text(json.dumps(_header(plan), indent=1, default=str) + "\n", encoding="utf-8")
            temporary.rename(folder)
        write_text_atomic(plan.output / "config.yaml", yaml.safe_dump(dict(plan.config), sort_keys=False))
    except StoreError as error:
        raise InputError(f"the output folder {plan.output} cannot be used: {error}") from error
    finally:
        remove(temporary)
    return folder


def load_plan(folder: Path) -> Plan:
    """The plan that ``save_plan`` wrote, rows read when they are asked for.

    Raises StoreError for anything else, and for a plan of another version of boxgp, which may mean something else.
    """
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        if header["format"] != PLAN_FORMAT or header["boxgp"] != version("boxgp"):
            made_by = f"boxgp {header.get('boxgp', 'of another version')}, format {header['format']}"
            raise StoreError(f"{folder} was made by {made_by}; this is boxgp {version('boxgp')}: plan again")
        steps = tuple(_step_from_json(folder, place, values) for place, values in enumerate(header["steps"]))
        return Plan(header["name"], header["config"], Path(header["output"]), steps)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"{folder} is no plan of boxgp ({type(error).__name__}: {error}): plan again") from error


class _SavedRows(Sequence[Row]):
    """The rows of one file, read at the first use."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count
        self._rows: tuple[Row, ...] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, position: int) -> Row: ...
    @overload
    def __getitem__(self, position: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, position: int | slice) -> Row | tuple[Row, ...]:
        if self._rows is None:
            self._rows = _read_rows(self._path, self._count)
        return self._rows[position]


def _header(plan: Plan) -> dict[str, Any]:
    steps = [{name: getattr(step, name) for name in _SHARED} | {"rows": len(step.rows)} for step in plan.steps]
    return {
        "format": PLAN_FORMAT,
        "boxgp": version("boxgp"),
        "name": plan.name,
        "output": plan.output,
        "config": plan.config,
        "steps": steps,
    }


def _step_from_json(folder: Path, place: int, values: Mapping[str, Any]) -> Step:
    return Step(
        **{
            **values,
            "folder": Path(values["folder"]),
            "inputs": tuple(values["inputs"]),
            "unfingerprinted": tuple(values["unfingerprinted"]),
            "splits": tuple(values["splits"]),
            "rows": _SavedRows(folder / _rows_name(place, values["stage"]), values["rows"]),
        }
    )


def _rows_name(place: int, stage: str) -> str:
    return f"{place:02d}_{stage}.jsonl"


def _write_rows(path: Path, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            files = [(str(one.path), one.content) for one in row.files]
            file.write(json.dumps((row.scene, row.reason, row.fingerprint, files)) + "\n")


def _read_rows(path: Path, count: int) -> tuple[Row, ...]:
    try:
        with path.open(encoding="utf-8") as file, many_rows():
            rows = tuple(_row_from_json(*json.loads(line)) for line in file)
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{path} holds no rows of a plan ({error}): plan again") from error
    if len(rows) != count:
        raise StoreError(f"{path} has {len(rows)} rows instead of {count}: plan again")
    return rows


def _row_from_json(scene: str, reason: str, fingerprint: str | None, files: Sequence[tuple[str, str]]) -> Row:
    return Row(scene, Reason(reason), fingerprint, tuple(RawFile(Path(path), content) for path, content in files))
