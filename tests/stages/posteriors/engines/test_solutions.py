from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stages.posteriors.engines.solutions import Fit, Moments, solution

FIT = Fit(length_scale=0.7, output_scale=1.5, evidence=-0.3, steps=12, jitter_retries=1, converged=True)
MOMENTS = Moments(*(np.array([value, value / 2]) for value in (2.0, 1.0, 0.8, 0.7, 0.1)))


def test_a_good_fit_comes_back_in_float32() -> None:
    found = solution(FIT, MOMENTS)
    assert (found.length_scale, found.output_scale, found.evidence) == (0.7, 1.5, -0.3)
    assert (found.steps, found.jitter_retries, found.converged) == (12, 1, True)
    np.testing.assert_array_equal(found.latent_mean, np.array([2.0, 1.0], np.float32))
    np.testing.assert_array_equal(found.variance, np.array([0.1, 0.05], np.float32))


@pytest.mark.parametrize(
    ("fit", "moments"),
    [
        (replace(FIT, converged=False), MOMENTS),
        (replace(FIT, evidence=float("nan")), MOMENTS),
        (FIT, replace(MOMENTS, latent_mean=np.array([np.nan, 0.0]))),
        (FIT, replace(MOMENTS, latent_variance=np.array([1e39, 0.0]))),
    ],
)
def test_anything_else_is_a_coin_flip_that_keeps_its_counts(fit: Fit, moments: Moments) -> None:
    found = solution(fit, moments)
    assert (found.steps, found.jitter_retries, found.converged) == (12, 1, False)
    for field, value in {
        "latent_mean": 0,
        "latent_variance": 1,
        "probability": 0.5,
        "mean": 0.5,
        "variance": 0.25,
    }.items():
        np.testing.assert_array_equal(getattr(found, field), np.full(2, value, np.float32))
