"""The published engine and its batched form: the same answers, whatever the sizes and the padding."""

import numpy as np
import pytest

from benchmarks.published import BatchedGpytorch, PublishedEngine
from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.variational import VariationalEngine


def problem(seed: int, determined: int, contested: int, prior: float = 0.0) -> PairProblem:
    generator = np.random.default_rng(seed)
    first = np.arange(determined) % 3 == 0
    feature = generator.normal(0.0, 0.5, (determined, 6)) + np.where(first, 0.3, -0.3)[:, None]
    return PairProblem(
        feature.astype(np.float32),
        first,
        generator.normal(0.0, 0.6, (contested, 6)).astype(np.float32),
        np.zeros(determined, np.float32),
        np.full(contested, prior, np.float32),
    )


@pytest.mark.slow
def test_padding_does_not_change_the_published_answers() -> None:
    problems = [problem(seed, *sizes) for seed, sizes in enumerate([(5, 1), (9, 30), (16, 2), (17, 5), (40, 3)])]
    alone, batched = PublishedEngine("float64").solve(problems), BatchedGpytorch().solve(problems)
    for one, other in zip(alone, batched, strict=True):
        assert one.converged
        assert other.converged
        np.testing.assert_allclose(other.latent_mean, one.latent_mean, atol=1e-5)
        np.testing.assert_allclose(other.latent_variance, one.latent_variance, atol=1e-5)
        assert other.length_scale == pytest.approx(one.length_scale, abs=1e-6)
        assert other.output_scale == pytest.approx(one.output_scale, abs=1e-6)


def test_single_precision_agrees_with_our_batches() -> None:
    problems = [problem(1, 12, 20), problem(2, 30, 4, prior=0.7)]
    for one, other in zip(PublishedEngine().solve(problems), VariationalEngine().solve(problems), strict=True):
        np.testing.assert_allclose(one.probability, other.probability, atol=0.01)
        np.testing.assert_allclose(one.variance, other.variance, atol=0.01)


def test_prior_mean_of_determined_regions_is_refused() -> None:
    plain = problem(1, 4, 2)
    informed = PairProblem(
        plain.feature, plain.first, plain.contested_feature, np.ones(4, np.float32), plain.contested_prior_mean
    )
    for engine in (PublishedEngine(), BatchedGpytorch()):
        with pytest.raises(ValueError, match="prior mean"):
            engine.solve([informed])
