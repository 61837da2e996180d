"""Do the scenes named by ``splits`` exist?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from itertools import combinations

from pipeline.errors import ConfigurationError
from pipeline.tasks import Plan

_SHOWN = 5
"""names that a message lists"""


def check_splits(plan: Plan) -> list[str]:
    """What is odd about the splits of a plan that is about all scenes; nothing where none of its stages reads them.

    Raises ConfigurationError where a split names scenes but none of those there are, and where one is in two splits.
    """
    if not any(step.splits for step in plan.steps):
        return []
    splits: dict[str, Sequence[str]] = plan.config["splits"]
    for (one, first), (other, second) in combinations(splits.items(), 2):
        if both := sorted(set(first) & set(second)):
            raise ConfigurationError(
                f"splits.{one} and splits.{other} share {_named(both)}: a scene may be in one of them alone"
            )
    scenes = [row.scene for row in plan.steps[0].rows]
    notes = []
    for name, wanted in splits.items():
        unknown = sorted(set(wanted) - set(scenes))
        if not unknown:
            continue
        none = len(unknown) == len(set(wanted))
        some = f"{len(unknown)} of the {len(wanted)} scenes of splits.{name} do not exist"
        text = f"{f'no scene of splits.{name} exists' if none else some}: {_named(unknown)}"
        near = get_close_matches(unknown[0], set(scenes) - set(wanted), n=1) if len(unknown) <= _SHOWN else []
        text += f"; did you mean {near[0]}?" if near else "."
        if none:
            raise ConfigurationError(f"{text} There are: {_named(scenes)}. Change splits.{name}, or set it to []")
        notes.append(f"{text} The others are used")
    return notes


def _named(scenes: Collection[str]) -> str:
    more = f" and {len(scenes) - _SHOWN} more" if len(scenes) > _SHOWN else ""
    return ", ".join(list(scenes)[:_SHOWN]) + more
