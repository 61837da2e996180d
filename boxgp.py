"""The public import for trainers; what is named here is imported when it is asked for, so that this costs nothing.

Labels: ``PseudoLabels.open(folder)`` is one scene in numpy. ``LabelledScenes(run_or_release)`` is a data set of torch
whose items are ``LabelledScan``; with a DataLoader, ``collate`` makes a ``LabelledBatch`` of several.

    from torch.utils.data import DataLoader
    from boxgp import LabelledScenes, collate
    loader = DataLoader(LabelledScenes("outputs/demo", split="train"), batch_size=2, num_workers=2, collate_fn=collate)

Losses, plain functions of Q proposals or objects over S regions, where ``logit`` [Q,S] is that of the mask:

- ``mask_bce(logit, mask)`` and ``mask_dice(logit, mask)`` give one number a row, ``mask_iou`` the overlap reached.
- ``gaussian_kl(mean, log_variance, target_mean, target_variance, determined)`` says of each entry how far a predicted
  mean (in [0, 1]) and variance are from the label's; ``balanced_mean(values, target_mean, determined)`` averages such
  entries so that the many regions that surely are no part of an object do not drown the others.
  ``published_gaussian_kl`` is the loss of GaPro's code on latent moments, with its flaws, for comparisons.
- ``class_loss(logit, class_index, target, no_object)``, and ``matching_cost`` and ``match`` for networks whose
  proposals are not told which object to become.

Leave regions out that are to be ignored: ``logit[:, ~scan.ignore]``. ``examples/train_on_labels.py`` uses all this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.pseudo_labels.labels import PseudoLabels
    from stages.training.dataset import LabelledBatch, LabelledScan, LabelledScenes, collate
    from stages.training.losses.classes import class_loss
    from stages.training.losses.kl import balanced_mean, gaussian_kl
    from stages.training.losses.masks import mask_bce, mask_dice, mask_iou
    from stages.training.losses.matching import match, matching_cost
    from stages.training.losses.published import published_gaussian_kl

__all__ = [
    "LabelledBatch",
    "LabelledScan",
    "LabelledScenes",
    "PseudoLabels",
    "balanced_mean",
    "class_loss",
    "collate",
    "gaussian_kl",
    "mask_bce",
    "mask_dice",
    "mask_iou",
    "match",
    "matching_cost",
    "published_gaussian_kl",
]

_HOMES = {
    "stages.pseudo_labels.labels": ("PseudoLabels",),
    "stages.training.dataset": ("LabelledBatch", "LabelledScan", "LabelledScenes", "collate"),
    "stages.training.losses.classes": ("class_loss",),
    "stages.training.losses.kl": ("balanced_mean", "gaussian_kl"),
    "stages.training.losses.masks": ("mask_bce", "mask_dice", "mask_iou"),
    "stages.training.losses.matching": ("match", "matching_cost"),
    "stages.training.losses.published": ("published_gaussian_kl",),
}


def __getattr__(name: str) -> object:
    """Imports what is asked for only then."""
    for module, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(module), name)
    raise AttributeError(f"module 'boxgp' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is, imported or not."""
    return __all__
