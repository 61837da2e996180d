"""Loops compiled by numba."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")


def compiled(function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
    """The function as machine code, kept on disk between runs.

    In tests every function is wrapped by a checker of shapes, which numba cannot compile: it is unwrapped first.
    """
    machine_code: Callable[Parameters, Returned] = njit(cache=True)(inspect.unwrap(function))
    return machine_code
