"""Configuration of the inference stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.stage import StageConfig


class InferenceConfig(StageConfig):
    """How the trained network is applied."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="where the network runs: cpu, cuda, or auto (a GPU where there is one); the last digits of results "
        "depend on it",
    )
    most_proposals: int = Field(200, ge=1, description="objects that are kept of one scene, the surest ones")
