"""Predictions for tests of the scores: masks given by their regions."""

from collections.abc import Sequence

import numpy as np

from stages.inference.records import Predictions


def predictions_of(
    masks: Sequence[Sequence[int]],
    regions: int,
    kind: Sequence[int] | None = None,
    score: Sequence[float] | None = None,
) -> Predictions:
    """One object for each list of regions, of falling scores unless they are given."""
    mask = np.zeros((len(masks), regions), bool)
    for row, chosen in zip(mask, masks, strict=True):
        row[list(chosen)] = True
    falling = np.linspace(0.9, 0.1, len(masks))
    return Predictions(
        mask=mask,
        class_index=np.array([0] * len(masks) if kind is None else kind, np.int32),
        score=np.array(falling if score is None else score, np.float32),
        probability=mask.astype(np.float32),
        mean=mask.astype(np.float32),
        variance=np.zeros(mask.shape, np.float32),
        region_feature=np.zeros((regions, 4), np.float32),
    )
