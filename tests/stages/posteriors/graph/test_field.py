"""The joint posterior against closed forms and dense algebra."""

import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array, random_array
from scipy.sparse.linalg import splu

from stages.posteriors.graph.dense import solve_dense
from stages.posteriors.graph.field import GraphProblem, solve_graph
from stages.posteriors.graph.sparse import inverse_diagonal, solve_sparse


def random_problem(regions: int, seed: int = 0, owners: int = 4) -> GraphProblem:
    generator = np.random.default_rng(seed)
    edges = random_array((regions, regions), density=min(1.0, 3 / regions), rng=generator)
    affinity = csr_array(edges + edges.T)
    affinity.setdiag(0.0)
    affinity.eliminate_zeros()
    precision = generator.uniform(0.05, 3.0, regions)
    return GraphProblem(affinity, precision, generator.dirichlet(np.ones(owners), regions).T)


def pair_problem(affinity: float, precision: tuple[float, float], observation: tuple[float, float]) -> GraphProblem:
    first = np.array(observation)
    edge = csr_array(np.array([[0.0, affinity], [affinity, 0.0]]))
    return GraphProblem(edge, np.array(precision), np.stack([first, 1.0 - first]))


def test_two_regions_by_hand() -> None:
    posterior = solve_graph(pair_problem(2.0, (1.0, 3.0), (1.0, 0.0)))
    inverse = np.linalg.inv([[3.0, -2.0], [-2.0, 5.0]])
    np.testing.assert_allclose(posterior.mean[0], inverse @ [1.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(posterior.variance, np.diag(inverse), rtol=1e-6)


def test_regions_apart_keep_their_observation() -> None:
    posterior = solve_graph(pair_problem(0.0, (2.0, 5.0), (0.7, 0.2)))
    np.testing.assert_allclose(posterior.mean[0], [0.7, 0.2], rtol=1e-6)
    np.testing.assert_allclose(posterior.variance, [1 / 2, 1 / 5], rtol=1e-6)


def test_regions_of_one_surface_pool_their_observations() -> None:
    posterior = solve_graph(pair_problem(1e7, (1.0, 3.0), (0.8, 0.4)))
    np.testing.assert_allclose(posterior.mean[0], [0.5, 0.5], rtol=1e-5)
    np.testing.assert_allclose(posterior.variance, [1 / 4, 1 / 4], rtol=1e-5)


@pytest.mark.parametrize("regions", [1, 2, 5, 60, 500])
def test_sparse_algebra_equals_dense(regions: int) -> None:
    problem = random_problem(regions)
    matrix = csr_array(np.diag(problem.affinity.sum(axis=1) + problem.precision) - problem.affinity.toarray())
    weighted = problem.observation * problem.precision
    for one, other in zip(solve_sparse(matrix, weighted), solve_dense(matrix, weighted, "cpu"), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(solve_sparse(matrix, weighted)[1], np.diag(np.linalg.inv(matrix.toarray())), rtol=1e-9)


def test_the_mean_is_a_weighted_mean_of_observations_and_the_variance_at_most_that_of_the_own_one() -> None:
    problem = random_problem(300)
    posterior = solve_graph(problem)
    np.testing.assert_allclose(posterior.mean.sum(axis=0), 1.0, atol=1e-6)
    assert (posterior.mean >= 0).all()
    assert (posterior.variance <= 1.0 / problem.precision + 1e-6).all()
    assert (posterior.variance > 0).all()


def test_more_sure_observations_make_every_region_surer() -> None:
    problem = random_problem(200)
    surer = GraphProblem(problem.affinity, 2.0 * problem.precision, problem.observation)
    assert (solve_graph(surer).variance < solve_graph(problem).variance).all()


def test_the_order_of_regions_does_not_matter() -> None:
    problem = random_problem(120)
    order = np.random.default_rng(1).permutation(120)
    shuffled = GraphProblem(
        csr_array(problem.affinity[order][:, order]), problem.precision[order], problem.observation[:, order]
    )
    one, other = solve_graph(problem), solve_graph(shuffled)
    np.testing.assert_allclose(other.mean, one.mean[:, order], atol=1e-6)
    np.testing.assert_allclose(other.variance, one.variance[order], rtol=1e-5)


def test_dense_device_agrees_with_the_sparse_default() -> None:
    problem = random_problem(150)
    one, other = solve_graph(problem), solve_graph(problem, "cpu:0")
    np.testing.assert_allclose(other.mean, one.mean, atol=1e-6)
    np.testing.assert_allclose(other.variance, one.variance, atol=1e-6)


def test_no_regions() -> None:
    posterior = solve_graph(GraphProblem(csr_array((0, 0)), np.zeros(0), np.zeros((3, 0))))
    assert posterior.mean.shape == (3, 0)
    assert posterior.variance.shape == (0,)


def test_a_negative_affinity_is_refused() -> None:
    indefinite = np.array([[1.0, 4.0, 0.0], [4.0, 1.0, 0.5], [0.0, 0.5, 1.0]])
    factors = splu(csc_array(indefinite))
    with pytest.raises(ValueError, match="not diagonally dominant"):
        inverse_diagonal(factors)


@pytest.mark.gpu
def test_a_gpu_agrees_with_the_sparse_default() -> None:
    problem = random_problem(2000)
    one, other = solve_graph(problem), solve_graph(problem, "cuda")
    np.testing.assert_allclose(other.mean, one.mean, atol=1e-6)
    np.testing.assert_allclose(other.variance, one.variance, atol=1e-6)
