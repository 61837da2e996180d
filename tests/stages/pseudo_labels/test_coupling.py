import numpy as np
import pytest

from stages.pseudo_labels.coupling import Entries, Fusion, Moments, couple, product, usable


def entries(pairs: list[tuple[int, int]], rates: list[float], overlap: list[float] | None = None) -> Entries:
    """All pairs concern region 7; variance is a tenth of p (1 - p)."""
    rate = np.array(rates)
    first, second = np.array(pairs, np.int32).reshape(-1, 2).T.copy()
    nothing = np.zeros(len(rate), np.float32)
    return Entries(
        first=first,
        second=second,
        region=np.full(len(rate), 7, np.int32),
        overlap=np.array(overlap or [0.5] * len(rate), np.float32),
        probability=rate,
        mean=rate,
        variance=0.1 * rate * (1 - rate),
        latent_mean=nothing,
        latent_variance=nothing,
    )


def test_two_boxes_keep_their_pair_exactly() -> None:
    moments = couple(entries([(0, 2)], [0.8]), 3, np.array([7]))
    np.testing.assert_allclose(moments.probability[:, 0], [0.8, 0, 0.2])
    np.testing.assert_allclose(moments.variance[:, 0], [0.016, 0, 0.016])


def test_three_boxes_recover_a_consistent_distribution() -> None:
    share = np.array([0.6, 0.3, 0.1])
    pairs = [(0, 1), (0, 2), (1, 2)]
    rates = [share[i] / (share[i] + share[j]) for i, j in pairs]
    moments = couple(entries(pairs, rates), 3, np.array([7]))
    # sqrt-weighted geometric coupling keeps the order and sums to one; with equal rates it is uniform
    assert (np.diff(moments.probability[:, 0]) < 0).all()
    np.testing.assert_allclose(moments.probability.sum(axis=0), 1)
    equal = couple(entries(pairs, [0.5, 0.5, 0.5]), 3, np.array([7]))
    np.testing.assert_allclose(equal.probability[:, 0], 1 / 3)


def test_delta_method_by_hand() -> None:
    pairs, rates = [(0, 1), (0, 2), (1, 2)], np.array([0.7, 0.6, 0.4])
    moments = couple(entries(pairs, rates.tolist()), 3, np.array([7]))
    # each of its own logits moves the logit of p_0 by 2/m; a tenth of r (1 - r) is 0.1 / (r (1 - r)) on the logit scale
    expected = sum((2 / 3) ** 2 * 0.1 / (r * (1 - r)) for r in rates[:2])
    own = moments.mean[0, 0] * (1 - moments.mean[0, 0])
    np.testing.assert_allclose(moments.variance[0, 0], own**2 * expected)


def test_certain_pairs_stay_finite() -> None:
    moments = couple(entries([(0, 1), (0, 2), (1, 2)], [1.0, 0.0, 0.0]), 3, np.array([7]))
    for values in vars(moments).values():
        assert np.isfinite(values).all()
    assert moments.probability[2, 0] > 0.99


def test_coupling_needs_every_pair() -> None:
    count = np.zeros(8, np.int64)
    count[7] = 3
    assert len(usable(entries([(0, 1), (0, 2), (1, 2)], [0.5] * 3), count, "coupling").region) == 3
    assert len(usable(entries([(0, 1), (0, 2)], [0.5] * 2), count, "coupling").region) == 0


@pytest.mark.parametrize(("fusion", "chosen"), [("largest_overlap", 1), ("most_confident", 2)])
def test_one_pair_decides(fusion: Fusion, chosen: int) -> None:
    pairs, rates, overlap = [(0, 1), (0, 2), (1, 2)], [0.6, 0.7, 0.1], [0.2, 0.5, 0.3]
    kept = usable(entries(pairs, rates, overlap), np.full(8, 3), fusion)
    assert (int(kept.first[0]), int(kept.second[0])) == pairs[chosen]


def test_product_of_independent_factors_by_sampling() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(0.7, 0.1, 400_000), generator.normal(0.4, 0.2, 400_000)
    one, other = (
        Moments(np.full((1, 1), m), np.full((1, 1), m), np.full((1, 1), v)) for m, v in ((0.7, 0.01), (0.4, 0.04))
    )
    moments = product(one, other)
    np.testing.assert_allclose(moments.mean, (x * y).mean(), atol=1e-3)
    np.testing.assert_allclose(moments.variance, (x * y).var(), rtol=0.02)
