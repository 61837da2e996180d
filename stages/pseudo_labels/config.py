"""Configuration of the pseudo_labels stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.stage import StageConfig


class PseudoLabelsConfig(StageConfig):
    """How posteriors of pairs become one label, or where labels that others made come from."""

    fusion: Literal["coupling", "largest_overlap", "most_confident"] = Field(
        "coupling",
        description="regions in three or more boxes: coupling combines all their pairs; largest_overlap takes the pair "
        "of boxes with the largest intersection over union (the published text); most_confident the pair whose "
        "probability is furthest from one half (the published code)",
    )
    path: Path | None = Field(
        None,
        description="folder of GaPro's <scene>.pth files to take the labels from: no features, no posteriors; `boxgp "
        "import-labels` sets it",
    )
    superpoints: Path | None = Field(
        None,
        description="with `path`: folder of <scene>.pth files, the region of each point; for means and variances a "
        "region",
    )
    trust_pickle: bool = Field(False, description="open files of `path` and `superpoints` although they may run code")

    @model_validator(mode="after")
    def _superpoints_of_labels(self) -> PseudoLabelsConfig:
        if self.superpoints is not None and self.path is None:
            raise ValueError("superpoints are those of the labels in `path`: set that as well, or superpoints.path")
        return self


def labels_given(sections: Mapping[str, Any]) -> str | None:
    """Why stages that make labels take no part where these come from files, and what to set; None where they do."""
    section = sections.get("pseudo_labels")
    if not isinstance(section, PseudoLabelsConfig) or section.path is None:
        return None
    return "pseudo_labels.path takes the labels from files; set it to null to make them"
