import numpy as np
from scipy.special import expit

from stages.posteriors.prior import evidence_prior, nested_regions, nesting, uniform_prior, with_background

UNIT = [0, 0, 0, 1, 1, 1]
HALF = [0.5, 0, 0, 2.5, 1, 1]
LARGE = [-1, -1, -1, 2, 2, 2]


def test_nesting_is_the_share_of_the_first_box() -> None:
    share = nesting(np.array([UNIT, HALF, LARGE], np.float32))
    np.testing.assert_allclose(share, [[0, 0.5, 1], [0.25, 0, 0.75], [1 / 27, 1.5 / 27, 0]])


def test_prior_by_hand() -> None:
    corners = np.array([UNIT, HALF, LARGE], np.float32)  # volumes 1, 2, 27
    candidate = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], bool)
    evidence = np.array([[0.2, 0.0, 9, 9], [0.1, 9, 1.0, 9], [9, 0.5, 9, 9]])
    nested = nested_regions(candidate, corners)
    assert nested.tolist() == [False, True, False, False]
    prior = evidence_prior(candidate, nested, evidence, corners)
    crossing = np.array([np.exp(-0.2), 2**-0.5 * np.exp(-0.1)])
    background = expit(0.1 - 3)
    np.testing.assert_allclose(prior[:, 0], [*(crossing / crossing.sum() * (1 - background)), 0, background], rtol=1e-5)
    shares = np.array([1.0, np.exp(-0.5) / 27])
    background = expit(0.0 - 4)
    expected = shares / shares.sum() * (1 - background)
    np.testing.assert_allclose(prior[:, 1], [expected[0], 0, expected[1], background], rtol=1e-5)
    np.testing.assert_allclose(prior[:, 2], [0, expit(2.0), 0, expit(-2.0)], rtol=1e-5)
    np.testing.assert_allclose(prior[:, 3], [0, 0, 0, 1])


def test_columns_add_up_to_one_whatever_the_evidence() -> None:
    generator = np.random.default_rng(0)
    low = generator.random((6, 3)).astype(np.float32)
    corners = np.c_[low, low + generator.random((6, 3))].astype(np.float32)
    candidate = generator.random((6, 300)) < 0.3
    evidence = generator.exponential(200, (6, 300))
    nested = nested_regions(candidate, corners)
    for prior in (evidence_prior(candidate, nested, evidence, corners), uniform_prior(candidate, candidate[0])):
        np.testing.assert_allclose(prior.sum(axis=0), 1, rtol=1e-5)
        assert (prior[:-1][~candidate] == 0).all()


def test_no_boxes_means_background() -> None:
    nothing = np.zeros((0, 4), bool)
    prior = evidence_prior(nothing, np.zeros(4, bool), np.zeros((0, 4)), np.zeros((0, 6), np.float32))
    assert prior.tolist() == [[1, 1, 1, 1]]
    assert uniform_prior(nothing, np.zeros(4, bool)).tolist() == [[1, 1, 1, 1]]


def test_background_boxes_raise_background_to_one_half() -> None:
    prior = np.array([[0.9, 0.3, 0.0], [0.1, 0.7, 1.0]], np.float32)
    raised = with_background(prior, np.array([True, True, True]))
    np.testing.assert_allclose(raised, [[0.5, 0.3, 0], [0.5, 0.7, 1]], rtol=1e-6)
