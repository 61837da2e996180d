import numpy as np
import pytest

from stages.evaluation.calibration import (
    BINS,
    OwnerSamples,
    base_rate,
    by_room,
    calibration,
    error_auroc,
    owner_samples,
    pool_samples,
    pooled_calibration,
    reliability,
    room_of,
)
from stages.evaluation.overlap import points_in_instances


def samples(confidence: np.ndarray, points: np.ndarray, correct: np.ndarray) -> OwnerSamples:
    return OwnerSamples(
        confidence.astype(np.float32),
        points.astype(np.int64),
        correct.astype(np.int64),
        (1 - confidence).astype(np.float32),
        np.ones(len(points), np.uint8),
    )


def test_a_predictor_that_keeps_its_word_has_no_calibration_error() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.random(4000)
    points = generator.integers(20, 60, 4000)
    honest = calibration(samples(confidence, points, generator.binomial(points, confidence)))
    boastful = calibration(samples(np.sqrt(confidence), points, generator.binomial(points, confidence)))
    assert honest.ece < 0.01
    assert boastful.ece == pytest.approx(2 / 3 - 1 / 2, abs=0.02)
    # E[p (1 - p)] of a uniform p
    assert honest.brier == pytest.approx(1 / 6, abs=0.01)
    assert honest.brier < boastful.brier


def test_bins_hold_equal_mass() -> None:
    generator = np.random.default_rng(1)
    table = reliability(samples(generator.random(3000), np.full(3000, 10), np.zeros(3000)))
    assert table.points.tolist() == [30000 // BINS] * BINS
    assert (np.diff(table.confidence) > 0).all()


def test_figures_by_hand() -> None:
    found = calibration(samples(np.array([0.5, 1.0]), np.array([10, 30]), np.array([8, 24])))
    assert (found.regions, found.points) == (2, 40)
    assert found.accuracy == pytest.approx(0.8)
    assert found.confidence == pytest.approx(0.875)
    assert found.ece == pytest.approx((10 * 0.3 + 30 * 0.2) / 40)
    assert found.brier == pytest.approx((10 * 0.25 + 6 * 1.0) / 40)
    assert found.auroc == pytest.approx(0.5)


def test_a_constant_predictor_fills_one_bin() -> None:
    found = calibration(samples(np.full(50, 0.7), np.full(50, 10), np.full(50, 7)))
    assert found.reliability.points.tolist() == [500]
    assert found.ece == pytest.approx(0.0, abs=1e-7)


def test_order_does_not_matter_and_scenes_pool() -> None:
    generator = np.random.default_rng(2)
    confidence = np.round(generator.random(300), 1)
    points = generator.integers(1, 9, 300)
    everything = samples(confidence, points, generator.binomial(points, confidence))
    order = generator.permutation(300)
    shuffled = OwnerSamples(**{name: values[order] for name, values in vars(everything).items()})
    first = np.arange(300) < 100
    parts = pool_samples([everything[~first], everything[first]])
    reference = calibration(everything)
    for other in (shuffled, parts):
        assert calibration(other).ece == pytest.approx(reference.ece, abs=1e-12)
        assert calibration(other).auroc == pytest.approx(reference.auroc, abs=1e-12)


def test_scans_of_one_room_are_one_room() -> None:
    one = samples(np.array([0.5]), np.array([2]), np.array([1]))
    rooms = by_room({"scene0001_00": one, "room_0001": one, "scene0000_01": one, "scene0000_00": one})
    assert {room: len(found.points) for room, found in rooms.items()} == {
        "room_0001": 1,
        "scene0000": 2,
        "scene0001": 1,
    }
    assert [room_of(name) for name in ("scene0003_02_full", "ascene0003_02")] == ["scene0003_02_full", "ascene0003_02"]


def test_pooling_lets_errors_of_rooms_cancel_and_their_mean_does_not() -> None:
    rooms = {
        "sure": samples(np.array([0.5]), np.array([10]), np.array([9])),
        "poor": samples(np.array([0.5]), np.array([30]), np.array([11])),
        "empty": samples(np.zeros(0), np.zeros(0), np.zeros(0)),
    }
    found = pooled_calibration(rooms)
    assert found.ece == pytest.approx(0.0)
    assert found.room_ece == pytest.approx((0.4 + (0.5 - 11 / 30)) / 2)
    assert np.isnan(pooled_calibration({"empty": rooms["empty"]}).room_ece)


def test_base_rate_of_a_room_is_the_accuracy_of_the_others() -> None:
    rooms = {
        "a": samples(np.array([0.1, 0.2]), np.array([5, 5]), np.array([5, 4])),
        "b": samples(np.array([0.3]), np.array([30]), np.array([12])),
        "c": samples(np.array([0.4]), np.array([10]), np.array([6])),
        "empty": samples(np.zeros(0), np.zeros(0), np.zeros(0)),
    }
    constant = base_rate(rooms)
    assert list(constant) == ["a", "b", "c"]
    assert constant["a"].confidence == pytest.approx([18 / 40] * 2)
    assert constant["b"].confidence == pytest.approx([15 / 20])
    assert constant["c"].confidence == pytest.approx([21 / 40])
    found = pooled_calibration(constant)
    # a constant that knew its own room would have no error at all
    assert found.room_ece == pytest.approx(((0.9 - 18 / 40) + (15 / 20 - 0.4) + (0.6 - 21 / 40)) / 3)
    assert found.ece == pytest.approx((10 * (0.9 - 18 / 40) + 30 * (15 / 20 - 0.4) + 10 * (0.6 - 21 / 40)) / 50)
    assert found.auroc == 0.5
    # what is said of a room does not depend on that room
    changed = base_rate(rooms | {"b": samples(np.array([0.3]), np.array([30]), np.array([30]))})
    assert changed["b"].confidence == pytest.approx(constant["b"].confidence)
    assert changed["a"].confidence != pytest.approx(constant["a"].confidence)


def test_one_room_has_no_base_rate() -> None:
    one = samples(np.array([0.5]), np.array([2]), np.array([1]))
    assert base_rate({"a": one}) == {}
    assert base_rate({"a": one, "empty": samples(np.zeros(0), np.zeros(0), np.zeros(0))}) == {}


def test_auroc() -> None:
    correct, wrong = np.array([3, 0, 1], np.int64), np.array([0, 2, 1], np.int64)
    assert error_auroc(np.array([0, 1, 0.5], np.float32), correct, wrong) == pytest.approx((2 * 4 + 3 + 0.5) / 12)
    assert error_auroc(np.array([0, 0, 0], np.float32), correct, wrong) == 0.5
    assert error_auroc(np.array([0, 1, 1], np.float32), np.array([3, 0, 0]), np.array([0, 2, 2])) == 1.0
    assert np.isnan(error_auroc(np.array([0, 1, 1], np.float32), correct, np.zeros(3, np.int64)))


def test_nothing_contested() -> None:
    found = calibration(samples(np.zeros(0), np.zeros(0), np.zeros(0)))
    assert found.points == 0
    assert np.isnan(found.ece)
    assert len(found.reliability.points) == 0


def test_samples_by_hand() -> None:
    """Regions: determined; won by object 0; background; won by object 1 of unknown instance; ignored."""
    superpoint = np.repeat(np.arange(5, dtype=np.int32), 4)
    instance = np.array([0] * 4 + [0, 0, 0, 1] + [-1, -1, 0, 1] + [0] * 4 + [0] * 4, np.int32)
    mask = np.zeros((2, 5), bool)
    mask[0, [0, 1]] = mask[1, 3] = True
    probability = np.array([[1, 0.75, 0.25, 0.5, 0.5], [0, 0.25, 0.125, 0.5, 0.5]], np.float32)
    found = owner_samples(
        mask,
        probability,
        np.array([0, 1, 2, 1, 1], np.uint8),
        np.array([False] * 4 + [True]),
        np.array([0, 0.1, 0.2, 0.3, 0.4], np.float32),
        points_in_instances(superpoint, instance, 5, 2),
        np.array([0, -1], np.int32),
    )
    assert found.confidence.tolist() == [0.75, 0.625]
    assert found.points.tolist() == [4, 4]
    # no box annotates instance 1: its points are background
    assert found.correct.tolist() == [3, 3]
    assert found.kind.tolist() == [1, 2]
    np.testing.assert_allclose(found.uncertainty, [0.1, 0.2])


def test_scene_without_boxes() -> None:
    counts = points_in_instances(np.zeros(3, np.int32), np.full(3, -1, np.int32), 1, 0)
    nothing = np.zeros((0, 1), np.float32)
    found = owner_samples(
        nothing > 0,
        nothing,
        np.array([2], np.uint8),
        np.zeros(1, bool),
        np.zeros(1, np.float32),
        counts,
        np.zeros(0, np.int32),
    )
    assert (found.confidence.tolist(), found.correct.tolist()) == ([1.0], [3])
