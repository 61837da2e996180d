"""Whether the workers of somebody else's scheduler run the same boxgp."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from distributed import Client

from pipeline.errors import ConfigurationError

_OURS = ("boxgp", "configs", "pipeline", "stages")
"""installed together, hence side by side wherever they are found"""
_CHILD = "pipeline.executors.dask.child"


def check_workers(client: Client) -> None:
    """Raises ConfigurationError where a worker has another boxgp, another Python, or finds another package instead.

    Workers are asked with functions of Python's own library: ours could not be imported there if something is wrong.
    """
    _check_python(_answers(client, platform.python_version))
    _check_places({name: _answers(client, importlib.util.find_spec, name) for name in _OURS})
    _check_versions(_answers(client, importlib.metadata.version, "boxgp"))
    for worker, found in _answers(client, importlib.util.find_spec, _CHILD).items():  # this imports what contains it
        if not isinstance(found, ModuleSpec):
            raise _refusal(worker, f"cannot import boxgp ({found or 'incomplete'})", "install it there")


def _answers(client: Client, function: Callable[..., object], *arguments: str) -> Mapping[str, Any]:
    """Worker address -> what the function gives there, or the exception that it raises."""
    answers: dict[str, Any] = client.run(function, *arguments, on_error="return")
    return answers


def _check_python(answers: Mapping[str, Any]) -> None:
    ours = platform.python_version()
    for worker, theirs in answers.items():
        if str(theirs).split(".")[:2] != ours.split(".")[:2]:
            remedy = "start the workers with the Python of this command"
            raise _refusal(worker, f"runs Python {theirs}, but this is {ours}", remedy)


def _check_places(answers: Mapping[str, Mapping[str, Any]]) -> None:
    for worker in answers["pipeline"]:
        places = {name: _place(answers[name].get(worker)) for name in _OURS}
        absent = [name for name, place in places.items() if place is None]
        if absent == list(_OURS):
            raise _refusal(worker, "has no boxgp", "install it in the environment that the workers run in")
        if len(set(places.values())) > 1:
            found = ", ".join(f"{name} in {place or 'no folder'}" for name, place in places.items())
            raise _refusal(
                worker,
                f"finds other packages of the same names before those of boxgp ({found})",
                "start the workers with PYTHONSAFEPATH=1, or from another folder",
            )


def _place(spec: object) -> Path | None:
    """The folder in which a module or package lies, None where it was not found."""
    if not isinstance(spec, ModuleSpec):
        return None
    folders = list(spec.submodule_search_locations or [])
    where = folders[0] if folders else spec.origin
    return None if where is None else Path(where).parent


def _check_versions(answers: Mapping[str, Any]) -> None:
    try:
        ours = importlib.metadata.version("boxgp")
    except importlib.metadata.PackageNotFoundError:
        return  # a checkout that is not installed has no version
    for worker, theirs in answers.items():
        if theirs != ours:
            version = "a boxgp that is not installed" if isinstance(theirs, Exception) else f"boxgp {theirs}"
            raise _refusal(worker, f"has {version}, but this is {ours}", "install the same version for the workers")


def _refusal(worker: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"the dask worker {worker} {what}: {remedy}, then run again")
