"""What every engine promises, whatever its mathematics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, ndtr

from stages.posteriors.engines.base import Link, PairProblem, PairSolution
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.linear import LinearEngine
from stages.posteriors.engines.regression import RegressionEngine
from stages.posteriors.engines.variational import VariationalEngine

MakeProblem = Callable[..., PairProblem]
Engine = LaplaceEngine | RegressionEngine | VariationalEngine | LinearEngine
MOMENTS = ("latent_mean", "latent_variance", "probability", "mean", "variance")
FIT = ("length_scale", "output_scale", "evidence", "steps", "jitter_retries", "converged")

ENGINES: list[Engine] = [
    LaplaceEngine(),
    LaplaceEngine(learn=False),
    LaplaceEngine(dtype="float32"),
    RegressionEngine(),
    RegressionEngine(learn=False),
    RegressionEngine(dtype="float32"),
    VariationalEngine(),
    VariationalEngine(learn=False, dtype="float32"),
    LinearEngine(),
    LinearEngine(dtype="float32"),
]
DOUBLE = [engine for engine in ENGINES if engine.dtype == "float64"]


def name(engine: Engine) -> str:
    return f"{type(engine).__name__}-{getattr(engine, 'learn', '')}-{engine.dtype}"


every_engine = pytest.mark.parametrize("engine", ENGINES, ids=name)
double_engine = pytest.mark.parametrize("engine", DOUBLE, ids=name)


def assert_same(a: PairSolution, b: PairSolution) -> None:
    for field in MOMENTS:
        np.testing.assert_array_equal(getattr(a, field), getattr(b, field), err_msg=field)
    for field in FIT:
        np.testing.assert_equal(getattr(a, field), getattr(b, field), err_msg=field)


def assert_close(a: PairSolution, b: PairSolution, *, tolerance: float) -> None:
    for field in MOMENTS:
        np.testing.assert_allclose(getattr(a, field), getattr(b, field), atol=tolerance, rtol=tolerance, err_msg=field)


def assert_sound(solution: PairSolution, contested: int) -> None:
    for field in MOMENTS:
        value = getattr(solution, field)
        assert value.shape == (contested,)
        assert value.dtype == np.float32
        assert np.isfinite(value).all(), field
    assert (solution.latent_variance >= 0).all()
    assert (solution.variance >= 0).all()
    assert (solution.variance <= 0.25 + 1e-6).all()
    for probability in (solution.probability, solution.mean):
        assert (probability >= 0).all()
        assert (probability <= 1).all()


@every_engine
def test_a_solution_does_not_depend_on_the_other_problems_by_a_bit(engine: Engine, make_problem: MakeProblem) -> None:
    sizes = [3, 17, 31, 32, 33, 40, 70]
    problems = [make_problem(seed, size, 1 + seed % 7, prior=seed % 2) for seed, size in enumerate(sizes)]
    together = engine.solve(problems)
    order = np.random.default_rng(0).permutation(len(problems))
    for index, solution in zip(order, engine.solve([problems[index] for index in order]), strict=True):
        assert_same(solution, together[index])
    for solution, expected in zip(engine.solve(problems[2:5]), together[2:5], strict=True):
        assert_same(solution, expected)
    for index in (0, 4, 6):
        assert_same(engine.solve([problems[index]])[0], together[index])


@every_engine
def test_a_failing_neighbour_changes_nothing(engine: Engine, make_problem: MakeProblem) -> None:
    good = make_problem(1)
    broken = replace(good, feature=np.full_like(good.feature, np.nan))
    extreme = replace(good, prior_mean=np.full_like(good.prior_mean, 3e38))
    failed, solution, hard = engine.solve([broken, good, extreme])
    assert_same(solution, engine.solve([good])[0])
    assert not failed.converged
    assert_sound(failed, len(good.contested_feature))
    assert_sound(hard, len(good.contested_feature))
    np.testing.assert_array_equal(failed.probability, 0.5)


@every_engine
def test_threads_of_the_caller_change_nothing(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(3, 100)
    expected = engine.solve([problem])[0]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        found = engine.solve([problem])[0]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert_same(found, expected)


@every_engine
def test_classifies_what_is_clear(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(5, 80, 0)
    clear = np.zeros((2, 6), np.float32)
    clear[:, 0] = (0.9, -0.9)
    solution = engine.solve([replace(problem, contested_feature=clear, contested_prior_mean=np.zeros(2, np.float32))])[
        0
    ]
    assert solution.converged
    assert solution.probability[0] > 0.55
    assert solution.probability[1] < 0.45
    assert solution.latent_mean[0] > 0 > solution.latent_mean[1]
    assert solution.evidence < 0


@double_engine
def test_swapping_the_owners_negates_the_latent_function(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(7, prior=1.0)
    swapped = replace(
        problem,
        first=~problem.first,
        prior_mean=-problem.prior_mean,
        contested_prior_mean=-problem.contested_prior_mean,
    )
    solution, mirrored = engine.solve([problem, swapped])
    np.testing.assert_allclose(mirrored.latent_mean, -solution.latent_mean, atol=1e-9)
    np.testing.assert_allclose(mirrored.latent_variance, solution.latent_variance, atol=1e-9)
    # float32 holds 1 - p to 6e-8
    np.testing.assert_allclose(mirrored.probability, 1 - solution.probability, atol=1e-7)
    np.testing.assert_allclose(mirrored.mean, 1 - solution.mean, atol=1e-7)
    np.testing.assert_allclose(mirrored.variance, solution.variance, atol=1e-9)
    assert mirrored.evidence == pytest.approx(solution.evidence, abs=1e-9)


@double_engine
def test_order_of_determined_regions_does_not_matter(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(9, prior=0.5)
    order = np.random.default_rng(1).permutation(len(problem.first))
    shuffled = replace(
        problem, feature=problem.feature[order], first=problem.first[order], prior_mean=problem.prior_mean[order]
    )
    # the whitened parameters of the variational posterior follow the order, and 50 steps of Adam do not converge
    tolerance = 0.05 if isinstance(engine, VariationalEngine) else 1e-5
    assert_close(*engine.solve([problem, shuffled]), tolerance=tolerance)


@double_engine
def test_translation_does_not_matter(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(11)
    # sixty-fourths, so that moved features are exact in float32
    feature, contested = np.round(problem.feature * 64) / 64, np.round(problem.contested_feature * 64) / 64
    still = replace(problem, feature=feature, contested_feature=contested)
    moved = replace(problem, feature=feature + np.float32(128), contested_feature=contested + np.float32(128))
    assert_close(*engine.solve([still, moved]), tolerance=1e-5)


@double_engine
def test_order_of_contested_regions_does_not_matter(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(13, prior=0.3)
    flipped = replace(
        problem,
        contested_feature=problem.contested_feature[::-1].copy(),
        contested_prior_mean=problem.contested_prior_mean[::-1].copy(),
    )
    solution, reverse = engine.solve([problem, flipped])
    np.testing.assert_allclose(solution.latent_mean, reverse.latent_mean[::-1], atol=1e-6)
    np.testing.assert_allclose(solution.latent_variance, reverse.latent_variance[::-1], atol=1e-6)


@every_engine
@pytest.mark.parametrize("determined", [1, 2])
def test_few_determined_regions(engine: Engine, make_problem: MakeProblem, determined: int) -> None:
    solution = engine.solve([make_problem(15, determined, 4)])[0]
    assert solution.converged
    assert_sound(solution, 4)


@every_engine
def test_nothing_contested(engine: Engine, make_problem: MakeProblem) -> None:
    solution = engine.solve([make_problem(17, contested=0)])[0]
    assert solution.converged
    assert_sound(solution, 0)


@every_engine
def test_no_problems(engine: Engine) -> None:
    assert engine.solve([]) == []


@every_engine
def test_contradictory_labels_on_one_place_are_a_coin_flip(engine: Engine) -> None:
    count = 24
    place = np.full((count, 3), 0.25, np.float32)
    problem = PairProblem(
        place, np.arange(count) % 2 == 0, place[:2], np.zeros(count, np.float32), np.zeros(2, np.float32)
    )
    solution = engine.solve([problem])[0]
    assert solution.converged
    assert_sound(solution, 2)
    # Adam's 50 steps leave a trace of the order of the regions
    np.testing.assert_allclose(solution.probability, 0.5, atol=0.02 if isinstance(engine, VariationalEngine) else 1e-3)


@every_engine
def test_far_away_regions_fall_back_to_the_prior_mean(engine: Engine, make_problem: MakeProblem) -> None:
    if isinstance(engine, LinearEngine):
        pytest.skip("a linear score grows with distance")
    problem = make_problem(19, prior=0.5)
    far = replace(problem, contested_feature=problem.contested_feature + np.float32(1e4))
    solution = engine.solve([far])[0]
    assert_sound(solution, len(far.contested_feature))
    np.testing.assert_allclose(solution.latent_mean, far.contested_prior_mean, atol=1e-6)
    np.testing.assert_allclose(solution.latent_variance, solution.output_scale**2, rtol=1e-3)


@every_engine
def test_widely_spread_features_do_not_break_anything(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(21)
    spread = replace(problem, feature=problem.feature * np.float32(1e4))
    solution = engine.solve([spread])[0]
    assert solution.converged
    assert_sound(solution, len(problem.contested_feature))


@every_engine
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_huge_prior_means_against_the_labels(engine: Engine, make_problem: MakeProblem, size: float) -> None:
    problem = make_problem(23, 12)
    against = np.where(problem.first, -size, size).astype(np.float32)
    solution = engine.solve([replace(problem, prior_mean=against)])[0]
    assert_sound(solution, len(problem.contested_feature))
    if engine.dtype == "float64" and not isinstance(engine, VariationalEngine):
        assert solution.converged


@every_engine
def test_prior_mean_moves_the_posterior_its_way(engine: Engine, make_problem: MakeProblem) -> None:
    problem = make_problem(25)
    raised = replace(problem, contested_prior_mean=np.full_like(problem.contested_prior_mean, 2.0))
    plain, moved = engine.solve([problem, raised])
    np.testing.assert_allclose(moved.latent_mean - plain.latent_mean, 2.0, atol=1e-5)
    assert (moved.probability > plain.probability).all()


@every_engine
def test_probability_and_moments_are_those_of_the_declared_link(engine: Engine, make_problem: MakeProblem) -> None:
    solution = engine.solve([make_problem(27, prior=0.5)])[0]
    draws = np.random.default_rng(0).normal(size=(200_000, 1))
    latent = solution.latent_mean + np.sqrt(solution.latent_variance) * draws
    links: dict[Link, Callable[[np.ndarray], np.ndarray]] = {
        "sigmoid": expit,
        "probit": ndtr,
        "step": lambda f: (f > 0).astype(float),
        "none": expit,
    }
    label = links[engine.link](latent)
    np.testing.assert_allclose(solution.mean, label.mean(0), atol=5e-3)
    np.testing.assert_allclose(solution.variance, label.var(0), atol=3e-3)
    # eq. (2) of GaPro is an approximation of the mean; elsewhere the probability is the mean
    np.testing.assert_allclose(solution.probability, solution.mean, atol=0.02 if engine.link == "sigmoid" else 1e-6)


@pytest.mark.slow
@every_engine
def test_a_thousand_determined_regions(engine: Engine, make_problem: MakeProblem) -> None:
    solution = engine.solve([make_problem(29, 1000, 20)])[0]
    assert solution.converged
    assert_sound(solution, 20)


@pytest.mark.parametrize("field", ["first", "prior_mean", "contested_prior_mean", "contested_feature"])
def test_arrays_that_disagree_are_refused(make_problem: MakeProblem, field: str) -> None:
    # shape checks would stop such a problem in tests; made without its constructor
    problem = make_problem(31)
    wrong = {"contested_feature": np.zeros((10, 5), np.float32)}.get(field, getattr(problem, field)[1:])
    object.__setattr__(problem, field, wrong)
    with pytest.raises(ValueError, match=f"problem 1: {field}"):
        LaplaceEngine().solve([make_problem(1), problem])


def test_a_problem_without_determined_regions_is_refused(make_problem: MakeProblem) -> None:
    with pytest.raises(ValueError, match="problem 0 has no determined region"):
        LaplaceEngine().solve([make_problem(1, determined=0)])
