"""Precisions, devices and batches: what each may change, on problems of the sizes of real pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.posteriors.engines import batched, prediction
from stages.posteriors.engines.base import PairProblem, PairSolution
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.linear import LinearEngine
from stages.posteriors.engines.padding import Precision
from stages.posteriors.engines.regression import RegressionEngine
from stages.posteriors.engines.variational import VariationalEngine

MakeProblem = Callable[..., PairProblem]
Engine = LaplaceEngine | RegressionEngine | VariationalEngine | LinearEngine

FIXED: list[Engine] = [
    LaplaceEngine(learn=False),
    RegressionEngine(learn=False),
    VariationalEngine(learn=False, steps=10),
    LinearEngine(),
]
LEARNING: list[Engine] = [LaplaceEngine(), RegressionEngine(), VariationalEngine()]

SINGLE_PRECISION_TOLERANCE = 1e-3
"""Of a probability in float32, against float64 on CPU, for fixed hyper-parameters. Measured on CPU, on the 290 pairs of
twelve real scans: laplace 6e-6, regression 5e-5, linear 3e-5, and variational 4e-4 on 20 of them."""
GPU_TOLERANCE = 1e-6
"""Of a probability in float64 on a GPU, against CPU or against other batches, for fixed hyper-parameters."""
LEARNT_GPU_TOLERANCE = 1e-3
"""The same for learnt ones: a search stops within a tolerance of the gradient, Adam after 50 steps."""


def name(engine: Engine) -> str:
    return f"{type(engine).__name__}-{getattr(engine, 'learn', '')}"


every_engine = pytest.mark.parametrize("engine", FIXED + LEARNING, ids=name)
fixed_engine = pytest.mark.parametrize("engine", FIXED, ids=name)
each_precision = pytest.mark.parametrize("precision", ["float32", "float64"])


def problems_like_those_of_scans(make_problem: MakeProblem) -> list[PairProblem]:
    """24 problems in nine columns with as many determined (5 to 387) and contested (2 to 174) regions as real pairs."""
    generator = np.random.default_rng(0)
    # every size twice, so that problems share batches
    determined = np.geomspace(5, 387, 12).astype(int).repeat(2)
    contested = generator.permutation(np.geomspace(2, 174, 24).astype(int))
    return [
        make_problem(seed, n, m, 9, prior=1.0) for seed, (n, m) in enumerate(zip(determined, contested, strict=True))
    ]


def largest_difference(found: list[PairSolution], expected: list[PairSolution]) -> float:
    """Of probability, mean and variance of the label."""
    return max(
        float(np.abs(getattr(a, field) - getattr(b, field)).max())
        for a, b in zip(found, expected, strict=True)
        for field in ("probability", "mean", "variance")
    )


@each_precision
@fixed_engine
def test_a_solution_does_not_depend_on_the_other_problems_of_its_scene_by_a_bit(
    engine: Engine, precision: Precision, make_problem: MakeProblem
) -> None:
    engine = replace(engine, dtype=precision)
    problems = problems_like_those_of_scans(make_problem)
    together = engine.solve(problems)
    for scene in (slice(0, 9), slice(5, 24, 3), slice(23, 24)):
        for solution, expected in zip(engine.solve(problems[scene]), together[scene], strict=True):
            for field in vars(expected):
                np.testing.assert_array_equal(getattr(solution, field), getattr(expected, field), err_msg=field)


@fixed_engine
def test_single_precision_is_near_double(engine: Engine, make_problem: MakeProblem) -> None:
    problems = problems_like_those_of_scans(make_problem)
    exact = replace(engine, dtype="float64").solve(problems)
    found = replace(engine, dtype="float32").solve(problems)
    assert largest_difference(found, exact) < SINGLE_PRECISION_TOLERANCE
    assert all(solution.converged for solution in found)


@every_engine
def test_every_tensor_follows_device_and_precision(engine: Engine, make_problem: MakeProblem) -> None:
    if isinstance(engine, VariationalEngine):
        pytest.skip("gpytorch makes its parameters where the default says, and they are moved afterwards")
    problems = [make_problem(1, 20), make_problem(2, 30, prior=1.0)]
    expected = engine.solve(problems)
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)
    try:
        # a tensor that is made without a device or a type has no values, or too few digits
        with torch.device("meta"):
            found = engine.solve(problems)
    finally:
        torch.set_default_dtype(default)
    for solution, same in zip(found, expected, strict=True):
        for field in vars(same):
            np.testing.assert_array_equal(getattr(solution, field), getattr(same, field), err_msg=field)


@each_precision
@fixed_engine
def test_batches_of_an_accelerator_give_the_same_up_to_rounding(
    engine: Engine, precision: Precision, make_problem: MakeProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, problems in large batches and their contested regions padded, but computed on CPU."""
    problems = problems_like_those_of_scans(make_problem)
    exact = replace(engine, dtype="float64").solve(problems)
    for module in (batched, prediction):
        monkeypatch.setattr(module, "is_cpu", lambda _device: False)
    monkeypatch.setattr(prediction, "TILE", 60)
    tolerance = {"float32": SINGLE_PRECISION_TOLERANCE, "float64": GPU_TOLERANCE}[precision]
    assert largest_difference(replace(engine, dtype=precision).solve(problems), exact) < tolerance


@pytest.mark.gpu
@each_precision
@fixed_engine
def test_a_gpu_gives_the_same_up_to_rounding(engine: Engine, precision: Precision, make_problem: MakeProblem) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    problems = problems_like_those_of_scans(make_problem)
    exact = replace(engine, dtype="float64", device="cpu").solve(problems)
    tolerance = {"float32": SINGLE_PRECISION_TOLERANCE, "float64": GPU_TOLERANCE}[precision]
    found = replace(engine, dtype=precision, device="cuda").solve(problems)
    assert largest_difference(found, exact) < tolerance
    assert all(solution.converged for solution in found)


@pytest.mark.gpu
@every_engine
def test_a_gpu_gives_scenes_the_same_together_and_one_by_one(engine: Engine, make_problem: MakeProblem) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    problems = problems_like_those_of_scans(make_problem)
    on_gpu = replace(engine, device="cuda")
    scenes = [problems[start : start + 8] for start in range(0, len(problems), 8)]
    one_by_one = [solution for scene in scenes for solution in on_gpu.solve(scene)]
    learnt = getattr(engine, "learn", False)
    assert largest_difference(on_gpu.solve(problems), one_by_one) < (LEARNT_GPU_TOLERANCE if learnt else GPU_TOLERANCE)
