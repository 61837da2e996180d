from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import softmax

from benchmarks import alternatives, alternatives_models
from benchmarks.alternatives import (
    AFFINITIES,
    CONSTANTS,
    CONTACTS,
    DEFAULT,
    Measured,
    first,
    measure,
    measured_case,
    other_affinities,
    rendered,
    summary_of,
    ways,
)
from benchmarks.alternatives_models import averaged, classified, mode, of_equal_sum, repaired
from benchmarks.runs import figures, run
from benchmarks.workload import Partitioned, folder_load, partition, rooms_load
from stages.posteriors.graph.field import GraphProblem
from stages.superpoints.region_graph import LEAST_AFFINITY

ROOM = rooms_load(1, 8000)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("alternatives") / "run"


@pytest.fixture(scope="module")
def found(output: Path) -> Partitioned:
    """A small room up to its posteriors."""
    return partition(ROOM, "folder", output)


@pytest.fixture(scope="module")
def measured(found: Partitioned) -> Measured:
    """All rows on that room."""
    return measure(found, lambda case: ways(case, found.posteriors))


@pytest.mark.parametrize(
    ("row", "settings"),
    [
        (DEFAULT, []),
        ("a GP a pair alone", ["posteriors.engine=laplace"]),
        ("prior alone", ["posteriors.engine=prior"]),
    ],
)
def test_rows_that_the_command_has_are_those_of_the_command(
    row: str, settings: list[str], measured: Measured, output: Path
) -> None:
    run("folder", ROOM, settings, output)
    expected, ours = figures(output), summary_of(measured)["rows"][row]
    for name in ("ap", "ap50", "ap90", "mean_iou"):
        assert ours[name] == expected["labels"][name]
    if row == DEFAULT:  # other rows are calibrated over the regions that this one contests
        for kind in ("overlap", "background"):
            assert ours[f"ece_{kind}"] == expected["calibration"][kind]["ece"]


def test_every_row_but_the_length_of_edges_differs_from_the_default(found: Partitioned) -> None:
    case = measured_case(found.scans[0], found)
    rows = ways(case, found.posteriors)
    assert set(CONSTANTS) | set(AFFINITIES) <= set(rows)
    default = rows.pop(DEFAULT)()
    for name, way in rows.items():
        labels = way()
        same = np.array_equal(labels.probability, default.probability) and np.array_equal(labels.mask, default.mask)
        assert not same or "length" in name, name
        assert (labels.mask.sum(axis=0) <= 1).all()


def test_affinities_are_those_of_the_stage_where_nothing_is_left_out(found: Partitioned) -> None:
    (scan,) = found.scans
    with patch.object(alternatives, "AFFINITIES", {"all": ()}):
        (same,) = other_affinities(scan).values()
    np.testing.assert_array_equal(same.affinity, scan.superpoints.affinity)
    contacts = other_affinities(scan)[CONTACTS].affinity - LEAST_AFFINITY
    assert (contacts <= scan.superpoints.contacts + 1e-3).all()
    assert (2 * contacts >= scan.superpoints.contacts - 1e-3).all()


@pytest.fixture
def chain() -> GraphProblem:
    """Four regions in a row; the two at the ends are observed, the others hardly."""
    weight = np.array([2.0, 0.5, 1.0])
    affinity = csr_array(np.diag(weight, 1) + np.diag(weight, -1))
    observation = np.array([[0.9, 0.5, 0.4, 0.2], [0.1, 0.3, 0.4, 0.2], [0.0, 0.2, 0.2, 0.6]])
    return GraphProblem(affinity, np.array([3.0, 0.2, 0.1, 5.0]), observation)


def test_gradient_vanishes_at_the_mode(chain: GraphProblem) -> None:
    with patch.object(alternatives_models, "SETTLED", 1e-12):
        latent = mode(chain, 0.5, 0.25)[0]
    laplacian = np.diag(chain.affinity.sum(axis=1)) - chain.affinity.toarray()
    gradient = 0.5 * latent @ laplacian - 0.25 * chain.precision * (chain.observation - softmax(latent, axis=0))
    assert np.abs(gradient).max() < 1e-9
    assert np.abs(latent).max() > 0.1


def test_the_mode_depends_on_the_ratio_of_smoothness_and_trust(chain: GraphProblem) -> None:
    with patch.object(alternatives_models, "SETTLED", 1e-10):
        np.testing.assert_allclose(mode(chain, 0.05, 0.25)[0], mode(chain, 0.2, 1.0)[0], atol=1e-6)
        np.testing.assert_allclose(softmax(mode(chain, 0.05, 0.25)[0], axis=0), classified(chain, 0.2), atol=1e-6)


def test_averages_have_the_owner_of_the_mode_and_are_less_sure(chain: GraphProblem) -> None:
    at_mode, average = classified(chain, 0.2), averaged(chain, 0.2, 1.0)
    np.testing.assert_allclose(average.sum(axis=0), 1.0)
    np.testing.assert_array_equal(average.argmax(axis=0), at_mode.argmax(axis=0))
    assert (average.max(axis=0) < at_mode.max(axis=0)).all()
    latent = mode(chain, 0.2, 1.0)[0]
    laplacian = np.diag(chain.affinity.sum(axis=1)) - chain.affinity.toarray()
    variance = np.linalg.inv(0.2 * laplacian + np.diag(chain.precision / 2.0)).diagonal()
    np.testing.assert_allclose(average, softmax(latent / np.sqrt(1.0 + np.pi * variance / 8.0), axis=0))


def test_a_mode_that_does_not_settle_is_refused(chain: GraphProblem) -> None:
    with patch.object(alternatives_models, "STEPS", 2), pytest.raises(ValueError, match="did not settle in 2 steps"):
        mode(chain, 0.1, 1.0)


def test_scaled_affinities_keep_their_proportions(chain: GraphProblem) -> None:
    doubled = GraphProblem(chain.affinity * 2.0, chain.precision, chain.observation)
    np.testing.assert_allclose(of_equal_sum(doubled, chain).affinity.toarray(), chain.affinity.toarray())


def _strips(starts: list[float]) -> np.ndarray:
    """Regions 0.2 m long along x that fill y and z of a box of 1 m."""
    return np.array([[start, 0, 0, start + 0.2, 1, 1] for start in starts], np.float32)


CUBE = np.array([[0, 0, 0, 1, 1, 1]], np.float32)


def test_a_mask_grows_to_both_faces_by_the_likeliest_regions() -> None:
    extent = _strips([0.0, 0.0, 0.4, 0.8])
    probability = np.array([[0.2, 0.3, 0.9, 0.1]], np.float32)
    mask = np.array([[False, False, True, False]])
    grown = repaired(mask, probability, np.ones((1, 4), bool), extent, CUBE, np.arange(1))
    assert grown.tolist() == [[False, True, True, True]]
    assert mask.tolist() == [[False, False, True, False]]


def test_a_mask_within_the_tolerance_or_without_candidates_stays() -> None:
    extent = _strips([0.0, 0.04, 0.76])
    probability = np.array([[0.4, 0.9, 0.9]], np.float32)
    near = np.array([[False, True, True]])
    every = np.ones((1, 3), bool)
    assert np.array_equal(repaired(near, probability, every, extent, CUBE, np.arange(1)), near)
    far = np.array([[False, False, True]])
    assert np.array_equal(repaired(far, probability, far, extent, CUBE, np.arange(1)), far)
    # of the two that reach the face to the tolerance, the likelier one, although the other touches it
    assert repaired(far, probability, every, extent, CUBE, np.arange(1)).tolist() == [[False, True, True]]


def test_regions_are_taken_from_other_boxes_in_the_order_given() -> None:
    extent = _strips([0.0, 0.8])
    corners = np.repeat(CUBE, 2, axis=0)
    probability = np.array([[0.9, 0.4], [0.1, 0.6]], np.float32)
    mask = np.eye(2, dtype=bool)
    every = np.ones((2, 2), bool)
    # the first box takes all, then the second, which has nothing left, takes it back
    last = repaired(mask, probability, every, extent, corners, np.array([0, 1]))
    assert last.tolist() == [[False, False], [True, True]]
    assert repaired(mask, probability, every, extent, corners, np.array([1, 0])).tolist() == last[::-1].tolist()


def test_the_first_scans_of_each_kind_of_load() -> None:
    assert first(folder_load("real", Path("somewhere"), "a,b,c"), "real", 2).scenes == "a,b"
    assert first(ROOM, "rooms", 3).settings == (*ROOM.settings, "scenes.count=3")


def test_tables_have_a_row_for_each_alternative(measured: Measured) -> None:
    machine = {"cpu": "a processor", "cores": 2, "threads": 1, "load_average": 0.5, "torch": "2", "python": "3"}
    one = summary_of({DEFAULT: measured[DEFAULT]})
    one["rows"][DEFAULT] |= {"ap": 0.5, "milliseconds": 1234.5}
    content: dict[str, Any] = {"machine": machine | {"gpu": None}, "rooms": {"all": summary_of(measured), "few": one}}
    text = rendered(content)
    assert text.startswith(f"1 built-in rooms, {one['objects']} objects:\n\n| regions decided by | AP |")
    for name in measured:
        assert f"\n| {name} | " in text
    assert f"\n| {DEFAULT} | 0.500 |" in text
    assert "| 1,234 |" in text
    assert "a processor, 2 cores" in text
