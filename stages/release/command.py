"""``boxgp release``: what the command does, between parsed arguments and printed text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigurationError, InputError
from pipeline.executors.local import LocalExecutor
from pipeline.progress import progress_on
from pipeline.results import RunResults, results_of
from pipeline.run import run_plan
from pipeline.show import count
from pipeline.show_run import shown
from pipeline.stage import Stage
from pipeline.tasks import Plan
from stages.export.planning import splits_of
from stages.release.folder import SUMS, claim, clear_books, deliver, finish, finished_as
from stages.release.licenses import License, license_of
from stages.release.planning import receipts_in, release_plan, withdraw_others
from stages.release.publishing import files_beside, quality_in
from stages.release.recipe import evaluated, make_recipe, privacy_of
from stages.release.standing import Standing, standing
from stages.release.verify import verify

_FAILED = 1
_SHOWN = 20


def release(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> int:
    """Makes or verifies a release; returns the exit code: 1 where scenes are left out or something is wrong."""
    if arguments.verify is not None:
        if arguments.run is not None or arguments.to is not None:
            raise ConfigurationError("--verify DIR checks a release by itself: leave RUN and --to away")
        return _FAILED if verify(Path(arguments.verify).expanduser()) else 0
    if arguments.run is None or arguments.to is None:
        raise ConfigurationError("give the run and the folder of the release: boxgp release RUN --to DIR")
    return _released(_request(arguments, stages))


@dataclass(frozen=True)
class _Request:
    """What is asked for, and what of it is ready."""

    results: RunResults
    config: Mapping[str, Any]
    """resolved configuration of the run"""
    standing: Standing
    recipe: Mapping[str, Any]
    license: License
    to: Path

    @property
    def geometry(self) -> bool:
        """Whether the scans come along."""
        return bool(self.recipe["geometry"])

    def begun(self) -> dict[str, Any]:
        """What an unfinished release in a folder has to agree with."""
        run = str(self.results.folder.absolute())
        return {"run": run, "round": self.results.round, "license": self.recipe["license"], "geometry": self.geometry}


def _request(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> _Request:
    results = results_of(arguments.run, arguments.round)
    config = _configuration(results)
    found = standing(results, config, [stage for _, stage in stages])
    privacy = privacy_of(results, config, found)
    recipe = make_recipe(
        results, config, found, privacy, license_id=arguments.license, geometry=arguments.license_allows
    )
    to = Path(arguments.to).expanduser().absolute()
    return _Request(results, config, found, recipe, license_of(arguments.license), to)


def _configuration(results: RunResults) -> Mapping[str, Any]:
    """What the run was last started with, as it was saved: a later boxgp may know other options."""
    path = results.folder / "config.yaml"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {"seed": int(found["seed"]), **found}
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not as boxgp writes it ({error}): run the same `boxgp run` again") from error


def _released(request: _Request) -> int:
    for line in _left_out(request.standing):
        print(line, file=sys.stderr)
    if not request.standing.ready:
        raise InputError(f"{request.results.folder} has no labels that can be published: boxgp status tells why")
    if not _finished_already(request):
        claim(request.to, request.begun())
        plan = release_plan(request.results, request.standing, request.to, geometry=request.geometry)
        withdraw_others(plan, request.to)
        code = _write_scenes(request, plan)
        if code:
            return code
        _conclude(request, plan)
    return _FAILED if request.standing.left_out else 0


def _finished_already(request: _Request) -> bool:
    """Whether this very release is there; raises InputError where another one is."""
    finished = finished_as(request.to)
    if finished is None:
        return False
    if finished != request.recipe["release"]:
        raise InputError(f"{request.to} holds another release, which is finished: choose another folder, or remove it")
    clear_books(request.to)
    print(f"{shown(request.to)}: this release is there already")
    return True


def _write_scenes(request: _Request, plan: Plan) -> int:
    """Writes what is missing of the scenes; returns 0 where all of them are there then."""
    run = shown(request.results.folder.absolute())
    what = f"{plan.pending} of {count(plan.size, 'scene')} to write"
    print(f"{run}, round {request.results.round} -> {shown(request.to)}: {what}", flush=True)
    outcome = run_plan(plan, LocalExecutor(0), progress_on(sys.stderr))
    if outcome.stopped:
        print("The release is not finished: the same command goes on")
        return outcome.exit_code
    if outcome.failed:
        failures = [f"  {record.scene}: {record.message}" for record in outcome.failed[:_SHOWN]]
        print("\n".join(["", f"{count(len(outcome.failed), 'failure')}:", *failures]))
        print(f"The release is not finished (no {SUMS}): correct this, then run the same command again")
    return outcome.exit_code


def _conclude(request: _Request, plan: Plan) -> None:
    """Writes what is about all scenes, and the checksums."""
    receipts = list(receipts_in(plan))
    scenes = [receipt.scene for receipt in receipts]
    quality = quality_in(request.results, scenes, evaluated(request.results, request.standing))
    splits = splits_of(request.results, None)
    beside = deliver(request.to, files_beside(request.recipe, receipts, splits, request.license, quality))
    files = {name: one for receipt in receipts for name, one in receipt.files.items()} | beside
    finish(request.to, {name: one["sha256"] for name, one in files.items()})
    print(f"\n{_end(request, files)}")


def _left_out(found: Standing) -> list[str]:
    """Which scenes are left out, and why."""
    if not found.left_out:
        return []
    why = [f"  {scene} {reason}" for scene, reason in list(found.left_out.items())[:_SHOWN]]
    more = len(found.left_out) - _SHOWN
    return [
        f"boxgp: {count(len(found.left_out), 'scene')} left out:",
        *why,
        *([f"  and {more} more"] if more > 0 else []),
    ]


def _end(request: _Request, files: Mapping[str, Mapping[str, Any]]) -> str:
    size = sum(one["size"] for one in files.values()) / 1e6
    lines = [f"{shown(request.to)}: {count(len(files), 'file')}, {size:.1f} MB, checksums in {SUMS}"]
    if request.geometry:
        lines.append("The scans are in it, because --license-allows says that their license allows that.")
    else:
        lines.append("Points, colours and boxes of the scans are not in it.")
    if request.license.card["license"] == "unknown":
        lines.append("No --license: the card says unknown. Name one (cc-by-4.0) so that others know what they may do.")
    elif request.license.card["license"] == "other":
        named = request.license.words
        lines.append(f"{named} is no license that Hugging Face has a name for: the card says other, {named}.")
    if request.recipe["options_left_out"]:
        left = ", ".join(request.recipe["options_left_out"])
        lines.append(f"Left out of the recipe, because they name paths, users or machines: {left}.")
    lines.append(
        f"Look at README.md there, then publish; `boxgp release --verify {shown(request.to)}` checks every file."
    )
    return "\n".join(lines)
