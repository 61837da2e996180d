import numpy as np

from stages.posteriors.determine import Ownership, determine
from stages.posteriors.prior import uniform_prior
from stages.posteriors.problems import ProblemParameters, background_pairs, overlap_pairs
from stages.structures import LabelSource

CORNERS = np.array([[0, 0, 0, 2, 1, 1], [1, 0, 0, 4, 1, 1], [9, 9, 9, 10, 10, 10]], np.float32)
CANDIDATE = np.array([[1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0, 1]], bool)
BACKGROUND = np.array([0, 0, 1, 0, 0, 1, 0], bool)
FEATURE = np.arange(7, dtype=np.float32)[:, None]
PARAMETERS = ProblemParameters(skip_overlap=1.0, maximum_determined=10, background_reach=0.3)


def ownership(background: np.ndarray = BACKGROUND) -> Ownership:
    return determine(CANDIDATE, CANDIDATE, uniform_prior(CANDIDATE, background), background)


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
    found = determine(CANDIDATE, inside, uniform_prior(CANDIDATE, BACKGROUND), BACKGROUND)
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


def test_background_is_learnt_from_slabs_or_from_what_is_near() -> None:
    center = np.array([[0, 0, 0]] * 5 + [[-0.2, 0, 0], [9, 9, 9]], np.float64)
    (slab,) = background_pairs(ownership(), FEATURE, center, CORNERS, PARAMETERS)
    assert (slab.first, slab.second, slab.region.tolist()) == (0, 3, [2])
    assert slab.problem is not None
    assert slab.problem.feature.ravel().tolist() == [0, 5]
    prior = uniform_prior(CANDIDATE, BACKGROUND)
    nowhere = np.zeros(7, bool)
    found = determine(CANDIDATE, CANDIDATE, prior, nowhere)
    (near,) = background_pairs(found, FEATURE, center, CORNERS, PARAMETERS)
    assert near.problem is not None
    assert near.problem.feature.ravel().tolist() == [0, 5]
    center[5, 0] = -0.4
    (far,) = background_pairs(found, FEATURE, center, CORNERS, PARAMETERS)
    assert far.problem is None
