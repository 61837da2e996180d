import numpy as np

from stages.posteriors.determine import determine
from stages.posteriors.graph.observations import WITHOUT_SEEDS, graph_problem, seeded_share
from stages.structures import Superpoints, Surface

CANDIDATE = np.array([[0, 1, 1, 1], [0, 0, 1, 1]], bool)
PRIOR = np.array([[0, 0.8, 0.3, 0.3], [0, 0, 0.6, 0.6], [1, 0.2, 0.1, 0.1]], np.float32)
NESTED = np.array([False, False, True, False])
SIZE = np.array([16, 16, 16, 81], np.int64)


def superpoints() -> Superpoints:
    """Four regions in a row."""
    surface = Surface(np.zeros((4, 3), np.float32), np.zeros((2, 4), np.int32), np.zeros(4, bool))
    return Superpoints(
        superpoint=np.arange(4, dtype=np.int32),
        indptr=np.array([0, 1, 3, 5, 6], np.int64),
        neighbor=np.array([1, 0, 2, 1, 3, 2], np.int32),
        contacts=np.ones(6, np.int32),
        affinity=np.array([1, 1, 2, 2, 3, 3], np.float32),
        surface=surface,
        method="points",
        parameters={},
    )


def test_trust_by_what_is_known_of_a_region() -> None:
    ownership = determine(CANDIDATE, CANDIDATE, NESTED, PRIOR, np.zeros(4, bool))
    seed = np.array([[0, 1, 0, 0], [0, 0, 0, 0]], bool)
    seeded = graph_problem(ownership, PRIOR.astype(np.float64), superpoints(), SIZE, seed)
    np.testing.assert_allclose(seeded.precision, [0.1 * 8, 0.5 * 8, 0.5 * 8, 0.1 * 27])
    np.testing.assert_allclose(seeded.observation[:, 1], [1, 0, 0])
    np.testing.assert_allclose(seeded.observation[:, 2], PRIOR[:, 2])
    plain = graph_problem(ownership, PRIOR.astype(np.float64), superpoints(), SIZE, None)
    np.testing.assert_allclose(plain.precision, WITHOUT_SEEDS * np.array([0.1 * 8, 0.16 * 8, 0.5 * 8, 0.1 * 27]))
    np.testing.assert_allclose(plain.observation, PRIOR, atol=1e-7)
    np.testing.assert_array_equal(plain.affinity.toarray(), plain.affinity.toarray().T)
    assert plain.affinity.toarray()[2, 3] == 3


def test_a_face_of_a_box_that_does_not_hold_the_region_is_no_seed() -> None:
    ownership = determine(CANDIDATE, CANDIDATE, NESTED, PRIOR, np.zeros(4, bool))
    seed = np.array([[1, 0, 0, 0], [1, 1, 0, 0]], bool)
    problem = graph_problem(ownership, PRIOR.astype(np.float64), superpoints(), SIZE, seed)
    np.testing.assert_allclose(problem.observation, PRIOR, atol=1e-7)


def test_boxes_that_touch_the_same_region_share_it_by_their_prior() -> None:
    seed = np.array([[0, 0, 1, 1], [0, 0, 1, 0]], bool)
    expected = np.array([[0, 0, 1 / 3, 1], [0, 0, 2 / 3, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(seeded_share(PRIOR.astype(np.float64), seed), expected, rtol=1e-6)
