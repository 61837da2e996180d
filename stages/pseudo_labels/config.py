"""Configuration of the pseudo_labels stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.stage import StageConfig


class PseudoLabelsConfig(StageConfig):
    """How posteriors of pairs become one label."""

    fusion: Literal["coupling", "largest_overlap", "most_confident"] = Field(
        "coupling",
        description="regions in three or more boxes: coupling combines all their pairs; largest_overlap takes the pair "
        "of boxes with the largest intersection over union (the published text); most_confident the pair whose "
        "probability is furthest from one half (the published code)",
    )
