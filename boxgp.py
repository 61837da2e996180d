"""The public import for trainers: ``from boxgp import PseudoLabels``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.pseudo_labels.labels import PseudoLabels

__all__ = ["PseudoLabels"]


def __getattr__(name: str) -> object:
    """Imports what is asked for only then: ``import boxgp`` itself costs nothing."""
    if name == "PseudoLabels":
        from stages.pseudo_labels.labels import PseudoLabels

        return PseudoLabels
    raise AttributeError(f"module 'boxgp' has no attribute {name!r}")
