import numpy as np
import pytest

from stages.posteriors.determine import Ownership, determine
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.prior import uniform_prior
from stages.posteriors.problems import ProblemParameters, background_pairs, overlap_pairs
from stages.structures import LabelSource

CORNERS = np.array([[0, 0, 0, 2, 1, 1], [1, 0, 0, 4, 1, 1], [9, 9, 9, 10, 10, 10]], np.float32)
CANDIDATE = np.array([[1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1]], bool)
BACKGROUND = np.array([0, 0, 1, 0, 0, 1, 0], bool)
FEATURE = np.arange(7, dtype=np.float32)[:, None]
PARAMETERS = ProblemParameters(skip_overlap=1.0, maximum_determined=10, background_reach=0.3)


def ownership(
    candidate: np.ndarray = CANDIDATE, background: np.ndarray = BACKGROUND, inside: np.ndarray | None = None
) -> Ownership:
    """Equal shares for all candidates; ``inside`` is membership before containment."""
    nested = np.zeros(candidate.shape[1], bool)
    before = candidate if inside is None else inside
    return determine(candidate, before, nested, uniform_prior(candidate, background), background)


def test_determined_and_contested() -> None:
    found = ownership()
    assert found.owner.tolist() == [0, -1, -1, 1, 1, 3, 2]
    assert [LabelSource(s).name for s in found.source] == [
        "SINGLE_BOX", "GP", "GP", "SINGLE_BOX", "SINGLE_BOX", "BACKGROUND", "SINGLE_BOX",
    ]  # fmt: skip
    assert found.questioned.tolist() == [False, False, True, False, False, False, False]


def test_a_struck_container_is_recorded() -> None:
    inside = CANDIDATE.copy()
    inside[2, 0] = True
    found = ownership(inside=inside)
    assert LabelSource(found.source[0]) is LabelSource.CONTAINMENT


def test_one_problem_for_each_overlapping_pair() -> None:
    (pair,) = overlap_pairs(ownership(), FEATURE, CORNERS, PARAMETERS)
    assert (pair.first, pair.second, pair.region.tolist()) == (0, 1, [1])
    assert abs(pair.overlap - 1 / 4) < 1e-6
    assert pair.problem is not None
    assert pair.problem.feature.ravel().tolist() == [0, 3, 4]
    assert pair.problem.first.tolist() == [True, False, False]
    assert pair.problem.contested_feature.ravel().tolist() == [1]
    assert pair.problem.contested_prior_mean.tolist() == [0]


def test_pairs_that_overlap_too_much_have_no_problem() -> None:
    parameters = ProblemParameters(skip_overlap=0.2, maximum_determined=10, background_reach=0.3)
    (pair,) = overlap_pairs(ownership(), FEATURE, CORNERS, parameters)
    assert pair.problem is None


def test_only_the_nearest_determined_regions_of_each_side_are_kept() -> None:
    parameters = ProblemParameters(skip_overlap=1.0, maximum_determined=1, background_reach=0.3)
    (pair,) = overlap_pairs(ownership(), FEATURE, CORNERS, parameters)
    assert pair.problem is not None
    assert pair.problem.feature.ravel().tolist() == [0, 3]


def two_boxes(determined: int, contested: np.ndarray) -> tuple[Ownership, np.ndarray, np.ndarray]:
    """Two overlapping boxes with so many determined regions each, at random features, and contested ones.

    All features, and those of the first box alone.
    """
    generator = np.random.default_rng(0)
    feature = generator.uniform(-1, 1, (2 * determined, contested.shape[1])).astype(np.float32)
    candidate = np.zeros((3, 2 * determined + len(contested)), bool)
    candidate[0, :determined] = candidate[1, determined : 2 * determined] = True
    candidate[:2, 2 * determined :] = True
    found = ownership(candidate, np.zeros(candidate.shape[1], bool))
    return found, np.concatenate([feature, contested]), feature[:determined]


def keeping(maximum: int) -> ProblemParameters:
    return ProblemParameters(skip_overlap=1.0, maximum_determined=maximum, background_reach=0.3)


@pytest.mark.parametrize("maximum", [1, 3, 4, 30, 99])
def test_the_nearest_of_every_contested_region_are_kept_in_turn(maximum: int) -> None:
    contested = np.random.default_rng(1).uniform(-1, 1, (3, 2)).astype(np.float32)
    found, feature, first = two_boxes(100, contested)
    (pair,) = overlap_pairs(found, feature, CORNERS, keeping(maximum))
    assert pair.problem is not None
    assert pair.problem.first.sum() == (~pair.problem.first).sum() == maximum
    distance = np.linalg.norm(first[:, None] - contested[None], axis=2)
    rank = distance.argsort(axis=0).argsort(axis=0)
    turn = rank.min(axis=1)
    then = np.where(rank == turn[:, None], distance, np.inf).min(axis=1)
    expected = np.sort(np.lexsort((then, turn))[:maximum])
    np.testing.assert_array_equal(pair.problem.feature[:maximum], first[expected])


def test_a_contested_region_far_from_the_others_keeps_its_neighbours() -> None:
    contested = np.concatenate([np.zeros((20, 2)), [[50.0, 0.0]]]).astype(np.float32)
    found, feature, _ = two_boxes(100, contested)
    feature[7] = (49.0, 0.0)
    (pair,) = overlap_pairs(found, feature, CORNERS, keeping(10))
    assert pair.problem is not None
    assert (pair.problem.feature[:10] == feature[7]).all(axis=1).any()


def test_a_floor_of_twenty_thousand_regions_is_reduced_to_what_tells_most() -> None:
    """A foot on a floor: 400 regions of the floor say what 1,600 say, up to 0.05 (measured: 0.037)."""
    generator = np.random.default_rng(2)
    floor = np.column_stack([generator.uniform(-3, 3, (20_000, 2)), 0.01 * generator.normal(size=20_000)])
    foot = np.column_stack([generator.uniform(-0.2, 0.2, (30, 2)), generator.uniform(0.3, 1, 30)])
    contested = np.column_stack([generator.uniform(-0.2, 0.2, (12, 2)), np.linspace(0, 0.8, 12)])
    feature = np.concatenate([foot, floor, contested]).astype(np.float32)
    candidate = np.repeat(np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0]], bool), [30, 20_000, 12], axis=1)
    found = ownership(candidate, np.zeros(len(feature), bool))
    probability = []
    for maximum in (400, 1600):
        (pair,) = overlap_pairs(found, feature, CORNERS, keeping(maximum))
        assert pair.problem is not None
        assert len(pair.problem.feature) == 30 + maximum
        probability.append(LaplaceEngine(learn=False).solve([pair.problem])[0].probability)
    assert probability[0][0] < 0.1 < 0.9 < probability[0][-1]
    assert np.abs(probability[0] - probability[1]).max() < 0.05


def test_contested_regions_of_several_boxes_are_in_all_their_pairs() -> None:
    generator = np.random.default_rng(3)
    candidate = generator.random((6, 200)) < 0.3
    found = ownership(candidate, np.zeros(200, bool))
    feature = generator.normal(size=(200, 2)).astype(np.float32)
    corners = np.tile(CORNERS[:1], (6, 1))
    pairs = overlap_pairs(found, feature, corners, PARAMETERS)
    expected = [
        (first, second, np.flatnonzero(candidate[first] & candidate[second] & (found.owner < 0)).tolist())
        for first in range(6)
        for second in range(first + 1, 6)
    ]
    assert [(pair.first, pair.second, pair.region.tolist()) for pair in pairs] == expected


def test_without_contested_regions_there_are_no_pairs() -> None:
    candidate = np.eye(3, 5, dtype=bool)
    found = ownership(candidate, np.zeros(5, bool))
    assert overlap_pairs(found, FEATURE[:5], CORNERS, PARAMETERS) == []
    assert background_pairs(found, FEATURE[:5], np.zeros((5, 3)), CORNERS, PARAMETERS) == []


def test_background_is_learnt_from_slabs_or_from_what_is_near() -> None:
    center = np.array([[0, 0, 0]] * 5 + [[-0.2, 0, 0], [9, 9, 9]], np.float64)
    (slab,) = background_pairs(ownership(), FEATURE, center, CORNERS, PARAMETERS)
    assert (slab.first, slab.second, slab.region.tolist()) == (0, 3, [2])
    assert slab.problem is not None
    assert slab.problem.feature.ravel().tolist() == [0, 5]
    prior = uniform_prior(CANDIDATE, BACKGROUND)
    nowhere = np.zeros(7, bool)
    found = determine(CANDIDATE, CANDIDATE, nowhere, prior, nowhere)
    (near,) = background_pairs(found, FEATURE, center, CORNERS, PARAMETERS)
    assert near.problem is not None
    assert near.problem.feature.ravel().tolist() == [0, 5]
    center[5, 0] = -0.4
    (far,) = background_pairs(found, FEATURE, center, CORNERS, PARAMETERS)
    assert far.problem is None
