from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from stages.posteriors.engines import prediction
from stages.posteriors.engines.base import PairProblem
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.padding import stack
from stages.posteriors.engines.prediction import at_contested

MakeProblem = Callable[..., PairProblem]


def test_every_contested_region_is_asked_for_once_at_its_place(
    make_problem: MakeProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "TILE", 4)
    problems = [make_problem(seed, 20, contested, prior=1.0) for seed, contested in enumerate((3, 0, 9, 4))]
    widths = []

    def predict(chosen: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        widths.append(places.shape[1])
        return places[..., 0] + 100.0 * chosen[:, None], places[..., 1].square()

    found = at_contested(stack(problems, "float64", "cpu", size=8), predict)
    assert sorted(widths) == [1, 3, 4, 4, 4]
    for index, (problem, (mean, variance)) in enumerate(zip(problems, found, strict=True)):
        place = problem.contested_feature.astype(float)
        np.testing.assert_allclose(mean, problem.contested_prior_mean + place[:, 0] + 100 * index)
        np.testing.assert_allclose(variance, place[:, 1] ** 2)


def test_tiles_do_not_change_a_posterior(make_problem: MakeProblem, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = make_problem(1, 30, 50)
    whole = LaplaceEngine(learn=False).solve([problem])[0]
    monkeypatch.setattr(prediction, "TILE", 7)
    tiled = LaplaceEngine(learn=False).solve([problem])[0]
    np.testing.assert_allclose(tiled.latent_mean, whole.latent_mean, atol=1e-6)
    np.testing.assert_allclose(tiled.latent_variance, whole.latent_variance, atol=1e-6)
