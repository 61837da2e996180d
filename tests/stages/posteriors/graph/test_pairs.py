import numpy as np

from stages.posteriors.graph.pairs import observed_by_pairs
from tests.stages.pseudo_labels.test_fusion import posteriors


def test_contested_regions_take_half_of_each_and_determined_ones_their_prior() -> None:
    found = posteriors()
    observed = observed_by_pairs(found)
    np.testing.assert_allclose(observed[:, :2], found.prior[:, :2])
    np.testing.assert_allclose(observed[:, 2], [(0.45 + 0.09) / 2, (0.45 + 0.81) / 2, (0.1 + 0.1) / 2], rtol=1e-6)
    np.testing.assert_allclose(observed[:, 3], [0, (0.7 + 0.6) / 2, (0.3 + 0.4) / 2], rtol=1e-6)
    np.testing.assert_allclose(observed[:, 4], [0.2, 0.6, 0.2], rtol=1e-6)
