"""The objective of all networks."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from stages.training.batch import RegionLabels
from stages.training.losses.classes import class_loss
from stages.training.losses.kl import Uncertainty, uncertainty_loss
from stages.training.losses.masks import mask_bce, mask_dice, mask_iou, score_loss
from stages.training.losses.objective import Weights, objective, targets
from stages.training.network import Prediction, Proposals
from stages.training.scenes import select_objects, select_regions

REGIONS, CLASSES = 30, 3
WEIGHTS = Weights()
LEARNT = ("mask_logit", "class_logit", "score_logit", "mean", "log_variance")
every_kind = pytest.mark.parametrize("kind", get_args(Uncertainty))


def some_labels(objects: int = 4, seed: int = 0, regions: int = REGIONS) -> RegionLabels:
    """Objects of some regions each; a third of the regions is contested, every ninth is to be ignored."""
    generator = torch.Generator().manual_seed(seed)
    owner = torch.randint(-1, max(objects, 1), (regions,), generator=generator)
    mask = owner == torch.arange(objects)[:, None]
    determined = torch.arange(regions) % 3 > 0
    doubt = 0.5 * torch.rand(objects, regions, generator=generator)
    mean = torch.where(determined, mask.float(), (mask.float() - doubt).abs())
    return RegionLabels(
        mask=mask,
        mean=mean,
        variance=torch.where(determined, 0.0, mean * (1 - mean) / 2),
        determined=determined,
        ignore=torch.arange(regions) % 9 == 4,
        class_index=torch.arange(objects) % (CLASSES + 1) - 1,
        center=torch.rand(objects, 3, generator=generator),
    )


def some_proposals(target: list[int] | int | None, seed: int = 0, regions: int = REGIONS) -> Proposals:
    """Proposals with these targets; of a number: so many without targets."""
    count = target if isinstance(target, int) else len(target or [])
    generator = torch.Generator().manual_seed(100 + seed)

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).requires_grad_()

    return Proposals(
        mask_logit=noise(count, regions),
        class_logit=noise(count, CLASSES + 1),
        score_logit=noise(count),
        mean=torch.rand(count, regions, generator=generator).requires_grad_(),
        log_variance=noise(count, regions),
        target=torch.tensor(target, dtype=torch.int64) if isinstance(target, list) else None,
    )


def prediction_of(*proposals: Proposals, earlier: tuple[tuple[Proposals, ...], ...] = ()) -> Prediction:
    return Prediction(proposals=proposals, region_feature=(), earlier=earlier)


def losses_of(
    proposals: Proposals, labels: RegionLabels, kind: Uncertainty = "kl", weights: Weights = WEIGHTS
) -> dict[str, Tensor]:
    return objective(prediction_of(proposals), [labels], kind, weights)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], msg=f"{name}: {value} is not {second[name]}")


def assert_learnable(losses: dict[str, Tensor], *proposals: Proposals) -> None:
    """All losses are finite, and every prediction has a finite gradient."""
    assert all(torch.isfinite(value) for value in losses.values())
    learnt = [getattr(one, name) for one in proposals for name in LEARNT]
    for gradient in torch.autograd.grad(losses["total"], learnt):
        assert torch.isfinite(gradient).all()


@every_kind
def test_the_sum_of_weighted_parts(kind: Uncertainty) -> None:
    labels, proposals = some_labels(), some_proposals([2, -1, 0, 2, 1])
    weights = Weights(bce=3.0, dice=4.0, classes=0.7, score=0.3, uncertainty=0.9, no_object=0.2)
    losses = losses_of(proposals, labels, kind, weights)
    row, keep = torch.tensor([0, 2, 3, 4]), ~labels.ignore
    wanted = torch.tensor([2, 0, 2, 1])
    logit, mask = proposals.mask_logit[row][:, keep], labels.mask[wanted][:, keep]
    mean, log_variance = proposals.mean[row][:, keep], proposals.log_variance[row][:, keep]
    target = labels.mean[wanted][:, keep], labels.variance[wanted][:, keep]
    assert proposals.target is not None
    expected = {
        "bce": 3.0 * mask_bce(logit, mask).mean(),
        "dice": 4.0 * mask_dice(logit, mask).mean(),
        "class": 0.7 * class_loss(proposals.class_logit, labels.class_index, proposals.target, 0.2),
        "score": 0.3 * score_loss(proposals.score_logit[row], mask_iou(logit, mask)).mean(),
        "uncertainty": 0.9 * uncertainty_loss(mean, log_variance, *target, labels.determined[keep], kind),
    }
    assert_same(losses, expected | {"total": torch.stack(list(expected.values())).sum()})
    assert_learnable(losses, proposals)


@every_kind
def test_the_order_of_objects_does_not_matter(kind: Uncertainty) -> None:
    labels, order = some_labels(), torch.tensor([3, 1, 0, 2])
    new_number = [2, 1, 3, 0]
    target = [0, 3, -1, 2]
    moved = [new_number[k] if k >= 0 else -1 for k in target]
    shuffled = select_objects(labels, order)
    assert_same(losses_of(some_proposals(target), labels, kind), losses_of(some_proposals(moved), shuffled, kind))
    assert_same(losses_of(some_proposals(6), labels, kind), losses_of(some_proposals(6), shuffled, kind))


@every_kind
def test_the_order_of_regions_does_not_matter(kind: Uncertainty) -> None:
    labels, proposals = some_labels(), some_proposals([0, 3, -1, 2])
    order = torch.randperm(REGIONS, generator=torch.Generator().manual_seed(5))
    shuffled = RegionLabels(
        mask=labels.mask[:, order],
        mean=labels.mean[:, order],
        variance=labels.variance[:, order],
        determined=labels.determined[order],
        ignore=labels.ignore[order],
        class_index=labels.class_index,
        center=labels.center,
    )
    moved = replace(
        proposals,
        mask_logit=proposals.mask_logit[:, order],
        mean=proposals.mean[:, order],
        log_variance=proposals.log_variance[:, order],
    )
    assert_same(losses_of(proposals, labels, kind), losses_of(moved, shuffled, kind))


@every_kind
@pytest.mark.parametrize("target", [[0, 3, -1, 2, 2], 5])
def test_the_order_of_proposals_does_not_matter(kind: Uncertainty, target: list[int] | int) -> None:
    labels, proposals = some_labels(), some_proposals(target)
    order = torch.tensor([4, 2, 0, 1, 3])
    given = None if proposals.target is None else proposals.target[order]
    moved = replace(proposals, **{name: getattr(proposals, name)[order] for name in LEARNT}, target=given)
    assert_same(losses_of(proposals, labels, kind), losses_of(moved, labels, kind))


@every_kind
def test_a_batch_costs_the_mean_of_its_scenes(kind: Uncertainty) -> None:
    first, second = some_proposals([0, 1, -1], seed=1), some_proposals(7, seed=2, regions=21)
    labels = some_labels(2, seed=1), some_labels(5, seed=2, regions=21)
    both = objective(prediction_of(first, second), labels, kind, WEIGHTS)
    singles = [losses_of(first, labels[0], kind), losses_of(second, labels[1], kind)]
    assert_same(both, {name: (singles[0][name] + singles[1][name]) / 2 for name in singles[0]})


def test_layers_add_up() -> None:
    labels = some_labels()
    layers = [some_proposals([0, 1, -1], seed) for seed in range(3)]
    together = objective(prediction_of(layers[2], earlier=((layers[0],), (layers[1],))), [labels], "kl", WEIGHTS)
    singles = [losses_of(one, labels) for one in layers]
    assert_same(together, {name: sum((one[name] for one in singles), torch.zeros(())) for name in singles[0]})
    assert_learnable(together, *layers)


def test_losses_of_the_network_are_added_as_they_are() -> None:
    labels, proposals = some_labels(), some_proposals([0])
    prediction = replace(prediction_of(proposals), losses={"semantics": torch.tensor(2.5)})
    losses = objective(prediction, [labels], "kl", WEIGHTS)
    assert losses["semantics"].item() == 2.5
    torch.testing.assert_close(losses["total"], losses_of(proposals, labels)["total"] + 2.5)


@pytest.mark.parametrize("name", ["dice", "total"])
def test_losses_of_the_network_need_other_names(name: str) -> None:
    prediction = replace(prediction_of(some_proposals([0])), losses={name: torch.tensor(2.5)})
    with pytest.raises(ValueError, match=f"losses of its own {name}"):
        objective(prediction, [some_labels()], "kl", WEIGHTS)


def test_labels_of_every_scene_are_needed() -> None:
    with pytest.raises(ValueError, match="proposals for 1 scenes, labels of 2"):
        objective(prediction_of(some_proposals([0])), [some_labels(), some_labels()], "kl", WEIGHTS)


def test_no_object_enters_the_loss_of_classes_alone() -> None:
    labels, proposals = some_labels(), some_proposals([1, -1])
    losses = losses_of(proposals, labels)
    parts = [losses[name] for name in ("bce", "dice", "score", "uncertainty")]
    for part, name in zip(parts, ("mask_logit", "mask_logit", "score_logit", "mean"), strict=True):
        (gradient,) = torch.autograd.grad(part, getattr(proposals, name), retain_graph=True)
        assert gradient[0].any()
        assert not gradient[1].any()
    (gradient,) = torch.autograd.grad(losses["class"], proposals.class_logit)
    assert gradient[1, -1] < 0 < gradient[1, 0]


def test_ignored_regions_enter_no_loss() -> None:
    labels, proposals = some_labels(), some_proposals([0, 3, -1])
    losses = losses_of(proposals, labels)
    for name in ("mask_logit", "mean", "log_variance"):
        (gradient,) = torch.autograd.grad(losses["total"], getattr(proposals, name), retain_graph=True)
        assert not gradient[:, labels.ignore].any()
    keep = ~labels.ignore
    fewer = {name: getattr(proposals, name)[:, keep] for name in ("mask_logit", "mean", "log_variance")}
    assert_same(losses, losses_of(replace(proposals, **fewer), select_regions(labels, keep)))


def test_without_targets_the_best_fit_is_learnt() -> None:
    labels = some_labels()
    proposals = some_proposals(6)
    logit = proposals.mask_logit.detach().clone()
    for row, k in ((4, 0), (2, 1), (0, 2), (5, 3)):
        logit[row] = torch.where(labels.mask[k], 4.0, -4.0)
    fitting = replace(proposals, mask_logit=logit.requires_grad_())
    target = targets(fitting, labels, WEIGHTS)
    assert target.tolist() == [2, -1, 1, -1, 0, 3]
    assert_same(losses_of(fitting, labels), losses_of(replace(fitting, target=target), labels))


@every_kind
@pytest.mark.parametrize(
    ("target", "objects"), [([-1, -1], 0), (3, 0), ([], 0), (0, 0), ([], 2), (0, 2), (2, 200), ([-1], 3)]
)
def test_scenes_without_objects_or_proposals(kind: Uncertainty, target: list[int] | int, objects: int) -> None:
    proposals = some_proposals(target)
    losses = losses_of(proposals, some_labels(objects), kind)
    assert_learnable(losses, proposals)
    if not proposals.mask_logit.numel():
        assert losses["total"].item() == 0


def test_two_hundred_objects_are_matched() -> None:
    labels, proposals = some_labels(200, regions=400), some_proposals(230, regions=400)
    assert sorted(targets(proposals, labels, WEIGHTS).unique().tolist()) == list(range(-1, 200))
    assert_learnable(losses_of(proposals, labels), proposals)


def test_a_scene_to_be_ignored_teaches_no_masks() -> None:
    labels = replace(some_labels(), ignore=torch.ones(REGIONS, dtype=torch.bool))
    for proposals in (some_proposals([0, 1, -1]), some_proposals(5)):
        losses = losses_of(proposals, labels)
        assert_learnable(losses, proposals)
        assert all(losses[name].item() == 0 for name in ("bce", "dice", "score", "uncertainty"))


def test_half_precision_is_summed_in_single_precision() -> None:
    labels, proposals = some_labels(), some_proposals([0, 3, -1])
    half = replace(proposals, **{name: getattr(proposals, name).bfloat16() for name in LEARNT})
    rounded = replace(proposals, **{name: getattr(half, name).float() for name in LEARNT})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = losses_of(half, labels)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert_same(losses, losses_of(rounded, labels))


def test_what_is_not_a_number_is_no_number_in_the_end() -> None:
    proposals = some_proposals(4)
    broken = replace(proposals, mask_logit=torch.full_like(proposals.mask_logit, torch.nan).requires_grad_())
    assert torch.isnan(losses_of(broken, some_labels())["total"])


def test_a_few_steps_reduce_every_loss() -> None:
    labels = some_labels()
    proposals = some_proposals(6)
    learnt = [getattr(proposals, name) for name in LEARNT if name != "mean"]
    optimizer = torch.optim.Adam(learnt, lr=0.3)
    before = losses_of(proposals, labels)
    for _ in range(40):
        optimizer.zero_grad()
        losses_of(proposals, labels)["total"].backward()
        optimizer.step()
    after = losses_of(proposals, labels)
    for name in ("bce", "dice", "class"):
        assert after[name].item() < 0.2 * before[name].item()
    assert after["score"].item() < before["score"].item()
    assert after["uncertainty"].item() < before["uncertainty"].item()
