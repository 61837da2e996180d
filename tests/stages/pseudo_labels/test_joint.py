import numpy as np

from stages.pseudo_labels.joint import joint_moments

CANDIDATE = np.array([[1, 1, 0], [1, 0, 0]], bool)
MEAN = np.array([[0.5, 0.6, 0.3], [0.3, 0.2, 0.3], [0.2, 0.2, 0.4]], np.float32)


def test_owners_that_are_no_candidates_leave_their_share_to_the_others() -> None:
    moments = joint_moments(MEAN, np.ones(3, np.float32), CANDIDATE)
    np.testing.assert_allclose(moments.probability, [[0.5, 0.75, 0], [0.3, 0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(moments.mean, moments.probability)


def test_variance_is_that_of_a_beta_distribution() -> None:
    variance = np.array([0.25, 1.0, 1.0], np.float32)  # worth 4, 1 and 1 sure observations
    moments = joint_moments(MEAN, variance, CANDIDATE)
    np.testing.assert_allclose(moments.variance[0], [0.5 * 0.5 / 5, 0.75 * 0.25 / 2, 0], rtol=1e-6)
    draws = np.random.default_rng(0).beta(4 * 0.5, 4 * 0.5, 200_000)
    np.testing.assert_allclose(moments.variance[0, 0], draws.var(), rtol=0.02)


def test_never_surer_than_a_coin_and_never_nan() -> None:
    moments = joint_moments(np.zeros((3, 3), np.float32), np.full(3, 1e9, np.float32), CANDIDATE)
    assert (moments.probability == 0).all()
    wide = joint_moments(MEAN, np.full(3, 1e9, np.float32), CANDIDATE)
    assert (wide.variance <= wide.mean * (1 - wide.mean) + 1e-12).all()
