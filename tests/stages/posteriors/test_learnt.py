"""What a network says changes who is likely to own a region, by closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from stages.inference.records import Predictions
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.infer import prepare
from stages.posteriors.learnt import BEYOND, CAUTION, network_probability, with_network
from stages.structures import Boxes, Scene
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, two_objects

SIZE = np.array([10, 30, 20, 20], np.int64)
PRIOR = np.array([[0.9, 0.9, 0, 0], [0, 0, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5]], np.float32)
"""two boxes of two regions each, background last"""
CANDIDATE = PRIOR[:-1] > 0


def predictions(mask: list[list[int]], probability: list[list[float]], score: list[float]) -> Predictions:
    rows = np.array(mask, bool).reshape(-1, 4)
    probabilities = np.array(probability, np.float32).reshape(-1, 4)
    means = np.full_like(probabilities, 0.5)  # without a loss of uncertainty, they say nothing
    return Predictions(
        rows,
        np.zeros(len(rows), np.int32),
        np.array(score, np.float32),
        probabilities,
        means,
        np.zeros_like(means),
        np.zeros((4, 2), np.float32),
    )


def test_the_proposal_that_overlaps_a_box_speaks_for_it() -> None:
    found = predictions([[1, 1, 0, 0]], [[0.8, 0.5, 0.1, 0.0]], [0.9])
    probability = network_probability(found, PRIOR, SIZE)
    np.testing.assert_allclose(probability[0], [0.8, 0.5, 0.1, 0.0], rtol=1e-6)
    assert np.isnan(probability[1]).all()  # nothing was found in the second box


def test_proposals_are_weighed_by_score_and_overlap_with_the_prior() -> None:
    found = predictions([[0, 1, 0, 0], [1, 1, 1, 1]], [[0.0] * 4, [1.0] * 4], [0.5, 0.25])
    one = 0.9 * 30 / (0.9 * 40 + 30 - 0.9 * 30)
    other = 0.9 * 40 / 80
    expected = 0.25 * other / (0.5 * one + 0.25 * other)
    np.testing.assert_allclose(network_probability(found, PRIOR, SIZE)[0], expected, rtol=1e-6)


def test_proposals_that_hardly_overlap_say_nothing() -> None:
    found = predictions([[1, 0, 1, 1]], [[1.0] * 4], [1.0])  # 9 of 77 expected points
    probability = network_probability(found, PRIOR, SIZE)
    assert np.isnan(probability[0]).all()
    np.testing.assert_allclose(probability[1], 1.0)  # 20 of 50


@pytest.mark.parametrize("boxes", [0, 2])
def test_a_network_without_proposals_says_nothing(boxes: int) -> None:
    prior = np.concatenate([PRIOR[:boxes], PRIOR[-1:]])
    probability = network_probability(predictions([], [], []), prior, SIZE)
    assert probability.shape == (boxes, 4)
    assert np.isnan(probability).all()


def test_odds_multiply_the_shares_of_candidates() -> None:
    prior = np.array([[0.4, 0.5], [0.4, 0.0], [0.2, 0.5]], np.float32)
    candidate = prior[:-1] > 0
    probability = np.array([[0.8, np.nan], [0.5, 0.9]])
    same, half = with_network(candidate, prior, probability, 0.5, beyond=False)
    np.testing.assert_array_equal(same, candidate)
    np.testing.assert_allclose(half[:, 0], np.array([0.8, 0.4, 0.2]) / 1.4, rtol=1e-6)
    np.testing.assert_array_equal(half[:, 1], prior[:, 1])
    np.testing.assert_array_equal(with_network(candidate, prior, probability, 0.0, beyond=False)[1], prior)


def test_a_network_is_never_sure() -> None:
    probability = np.array([[1.0, 0.0, np.nan, np.nan], [np.nan] * 4])
    _, prior = with_network(CANDIDATE, PRIOR, probability, 1.0, beyond=False)
    odds = (1 - CAUTION) / CAUTION
    np.testing.assert_allclose(prior[0, :2], [9 * odds / (9 * odds + 1), 9 / (9 + odds)], rtol=1e-5)


def test_boxes_that_are_not_exact_may_own_what_lies_beyond() -> None:
    probability = np.array([[0.9, 0.9, 0.8, 0.4], [np.nan] * 4])
    candidate, prior = with_network(CANDIDATE, PRIOR, probability, 1.0, beyond=True)
    np.testing.assert_array_equal(candidate[0], [True, True, True, False])
    np.testing.assert_array_equal(candidate[1], CANDIDATE[1])
    np.testing.assert_allclose(prior[:, 2], np.array([4 * BEYOND, 0.5, 0.5]) / (4 * BEYOND + 1), rtol=1e-6)
    np.testing.assert_array_equal(prior[:, 3], PRIOR[:, 3])
    exact, _ = with_network(CANDIDATE, PRIOR, probability, 1.0, beyond=False)
    np.testing.assert_array_equal(exact, CANDIDATE)


@pytest.mark.parametrize(("faces", "owned"), [("uncertain", True), ("plain", False)])
def test_a_scene_gives_a_region_outside_its_box_to_what_the_network_found(faces: str, owned: bool) -> None:
    scene = two_objects()
    superpoints = partition_scene(scene, "points", PARAMETERS)
    regions = len(superpoints)
    config = PosteriorsConfig.model_validate({"faces": faces, "face_deviation": 0.01, "network_weight": 1.0})
    alone = prepare(scene, superpoints, config)
    first = int(np.argmax(alone.ownership.candidate.sum(axis=1)))
    inside = alone.ownership.candidate[first]
    outside = int(np.flatnonzero(~alone.ownership.candidate.any(axis=0))[0])
    mask = inside.copy()
    mask[outside] = True
    found = Predictions(
        mask[None],
        np.zeros(1, np.int32),
        np.ones(1, np.float32),
        mask[None].astype(np.float32),
        np.full((1, regions), 0.5, np.float32),
        np.zeros((1, regions), np.float32),
        np.zeros((regions, 2), np.float32),
    )
    ownership = prepare(scene, superpoints, config, found).ownership
    assert bool(ownership.candidate[first, outside]) is owned
    assert (ownership.prior[first, inside] > alone.ownership.prior[first, inside]).any()
    unheard = prepare(scene, superpoints, config.model_copy(update={"network_weight": 0.0}), found).ownership
    np.testing.assert_array_equal(unheard.prior, alone.ownership.prior)


def test_scenes_without_boxes_stay_background() -> None:
    objects = two_objects()
    scene = Scene("bare", objects.xyz, Boxes.empty(), rgb=objects.rgb)
    superpoints = partition_scene(scene, "points", PARAMETERS)
    regions = len(superpoints)
    found = Predictions(
        np.ones((1, regions), bool),
        np.zeros(1, np.int32),
        np.ones(1, np.float32),
        np.ones((1, regions), np.float32),
        np.full((1, regions), 0.5, np.float32),
        np.zeros((1, regions), np.float32),
        np.zeros((regions, 2), np.float32),
    )
    ownership = prepare(scene, superpoints, PosteriorsConfig(), found).ownership
    np.testing.assert_array_equal(ownership.prior, 1.0)
