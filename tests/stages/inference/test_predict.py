from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from stages.inference.predict import predict
from stages.inference.records import Predictions, from_arrays, to_arrays
from stages.training.network import Proposals
from tests.stages.inference.scripted import WIDTH, Scripted, batch, proposals

SURE = [0.9, 0.05, 0.05]
NOTHING = [0.3, 0.1, 0.6]


class Suppressing(Scripted):
    suppression: ClassVar[float | None] = 0.4


def found(
    given: Proposals, points: Sequence[int] = (10, 10, 10), most: int = 200, kind: type[Scripted] = Scripted
) -> Predictions:
    network = kind(proposals=[given])
    (predictions,) = predict(network, batch(points), torch.Generator().manual_seed(0), most)
    return predictions


def test_score_class_and_mask_by_hand() -> None:
    given = proposals([[0.9, 0.6, 0.5], [0.1, 0.2, 0.8]], [[0.2, 0.7, 0.1], [0.5, 0.3, 0.2]], [0.4, 1.0])
    predictions = found(given, (30, 10, 5))
    # the second one comes first: its score is the higher one
    assert predictions.mask.tolist() == [[False, False, True], [True, True, False]]
    assert predictions.class_index.tolist() == [0, 1]
    expected = [0.5 * 1.0 * 0.8, 0.7 * 0.4 * (30 * 0.9 + 10 * 0.6) / 40]
    np.testing.assert_allclose(predictions.score, expected, rtol=1e-5)
    np.testing.assert_allclose(predictions.probability, [[0.1, 0.2, 0.8], [0.9, 0.6, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(predictions.mean, [[0.05, 0.1, 0.4], [0.45, 0.3, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(predictions.variance, np.full((2, 3), np.exp(-2.0)), rtol=1e-6)
    assert predictions.region_feature.shape == (3, WIDTH)


def test_empty_masks_and_what_is_no_object_are_dropped() -> None:
    mask = [[0.9, 0.1, 0.1], [0.4, 0.5, 0.2], [0.1, 0.9, 0.1]]
    assert found(proposals(mask, [SURE, SURE, NOTHING])).mask.tolist() == [[True, False, False]]
    # two classes that are unlikely by themselves are likelier together than no object
    assert len(found(proposals(mask[:1], [[0.3, 0.3, 0.4]]))) == 1


def test_repetitions_are_dropped_where_the_network_makes_them() -> None:
    mask = [[0.9, 0.9, 0.1], [0.9, 0.8, 0.1], [0.1, 0.1, 0.9]]
    given = proposals(mask, [SURE] * 3, [0.5, 0.9, 0.3])
    assert found(given).mask.tolist() == [[True, True, False], [True, True, False], [False, False, True]]
    kept = found(given, kind=Suppressing)
    assert kept.mask.tolist() == [[True, True, False], [False, False, True]]
    np.testing.assert_allclose(kept.score, [0.9 * 0.9 * 0.85, 0.9 * 0.3 * 0.9], rtol=1e-5)


def test_what_is_no_object_suppresses_nothing() -> None:
    given = proposals([[0.9, 0.9, 0.1], [0.9, 0.8, 0.1]], [NOTHING, SURE], [1.0, 0.1])
    assert found(given, kind=Suppressing).class_index.tolist() == [0]


@pytest.mark.parametrize("kind", [Scripted, Suppressing])
def test_only_the_surest_ones_are_kept(kind: type[Scripted]) -> None:
    masks = (np.eye(30) * 0.8 + 0.1).tolist()
    given = proposals(masks, [SURE] * 30, np.linspace(0.1, 0.9, 30).tolist())
    kept = found(given, [1] * 30, most=4, kind=kind)
    assert kept.mask.argmax(axis=1).tolist() == [29, 28, 27, 26]


@pytest.mark.parametrize("kind", [Scripted, Suppressing])
def test_nothing_found(kind: type[Scripted]) -> None:
    for given in (proposals([[0.1, 0.1, 0.1]], [SURE]), proposals([[0.9, 0.9, 0.9]], [NOTHING])):
        predictions = found(given, kind=kind)
        assert (len(predictions), predictions.mask.shape, predictions.mean.shape) == (0, (0, 3), (0, 3))
        assert predictions.region_feature.shape == (3, WIDTH)
    none = Proposals(torch.zeros(0, 3), torch.zeros(0, 3), torch.zeros(0), torch.zeros(0, 3), torch.zeros(0, 3))
    assert len(found(none, kind=kind)) == 0


def test_scenes_of_a_batch_do_not_mix() -> None:
    one = proposals([[0.9, 0.1]], [SURE])
    other = proposals([[0.1, 0.9, 0.8], [0.9, 0.1, 0.1]], [SURE, [0.05, 0.9, 0.05]], [0.2, 0.9])
    together = predict(Scripted(proposals=[one, other]), batch((5, 5), (1, 2, 3)), torch.Generator())
    for scene, (given, points) in zip(together, ((one, (5, 5)), (other, (1, 2, 3))), strict=True):
        alone = found(given, points)
        for name in ("mask", "class_index", "score", "mean", "variance"):
            np.testing.assert_array_equal(getattr(scene, name), getattr(alone, name))
    assert [scene.region_feature.shape for scene in together] == [(2, WIDTH), (3, WIDTH)]


@pytest.mark.parametrize("training", [True, False])
def test_the_network_does_not_learn_and_keeps_its_mode(training: bool) -> None:
    network = Scripted(proposals=[proposals([[0.9]], [SURE])]).train(training)
    predict(network, batch((5,), labelled=True), torch.Generator())
    assert network.asked == [(False, False, False)]
    assert network.training is training
    assert network.layer.training is training


def test_the_mode_survives_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    network = Scripted().train()
    monkeypatch.setattr(network, "forward", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        predict(network, batch((5,)), torch.Generator())
    assert network.training


def test_random_numbers_come_from_the_generator() -> None:
    network = Scripted(proposals=[proposals([[0.9]], [SURE])])
    first, again, other = (
        predict(network, batch((5,)), torch.Generator().manual_seed(seed))[0].region_feature for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16])
def test_reduced_precision_gives_the_same_masks(precision: torch.dtype) -> None:
    given = proposals([[0.9, 0.6, 0.4], [0.1, 0.2, 0.8]], [SURE] * 2, [0.4, 0.9])
    rounded = Proposals(**{name: value.to(precision) for name, value in vars(given).items() if value is not None})
    expected, predictions = found(given), found(rounded)
    np.testing.assert_array_equal(predictions.mask, expected.mask)
    np.testing.assert_allclose(predictions.score, expected.score, rtol=0.02)
    assert predictions.score.dtype == predictions.mean.dtype == np.float32


@pytest.mark.parametrize("field", ["mask_logit", "class_logit", "score_logit", "mean", "log_variance"])
def test_numbers_that_are_not_finite_name_the_scene(field: str) -> None:
    given = proposals([[0.9, 0.1, 0.1], [0.1, 0.2, 0.8]], [SURE] * 2)
    broken = getattr(given, field).clone()
    broken.view(-1)[-1] = float("nan")
    with pytest.raises(ValueError, match=r"scene room0: the network's \w+ are not finite"):
        found(replace(given, **{field: broken}))


def test_certain_masks_may_have_infinite_logits() -> None:
    given = proposals([[0.9, 0.1, 0.1]], [SURE])
    certain = replace(given, mask_logit=torch.tensor([[torch.inf, -torch.inf, torch.inf]]))
    assert found(certain).mask.tolist() == [[True, False, True]]


def test_arrays_and_back() -> None:
    predictions = found(proposals([[0.9, 0.6, 0.4], [0.1, 0.2, 0.8]], [SURE] * 2))
    arrays = to_arrays(predictions)
    assert {name: len(dimensions) for name, (_, dimensions) in arrays.items()} == {
        name: value.ndim for name, value in vars(predictions).items()
    }
    again = from_arrays({name: values for name, (values, _) in arrays.items()})
    for name, value in vars(predictions).items():
        np.testing.assert_array_equal(getattr(again, name), value)
