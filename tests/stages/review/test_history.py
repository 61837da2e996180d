"""Steps that stand, and steps that were taken back."""

from __future__ import annotations

import numpy as np

from stages.review.corrections import UNTOUCHED, Correction, Corrections
from stages.review.history import standing_steps, taken_back


def said(*pairs: tuple[int, int], when: str = "10:00", reviewer: str | None = None) -> tuple[Correction, ...]:
    return tuple(Correction(region, owner, when, reviewer) for region, owner in pairs)


def shown(entries: tuple[Correction, ...]) -> list[tuple[int, tuple[int, ...], int]]:
    return [(step.first, step.regions, step.owner) for step in standing_steps(entries)]


def test_entries_of_one_moment_are_one_step() -> None:
    entries = said((1, 0), (2, 0)) + said((3, 0), when="10:01") + said((4, 1), when="10:01")
    assert shown(entries) == [(0, (1, 2), 0), (2, (3,), 0), (3, (4,), 1)]
    assert shown(said((1, 0)) + said((2, 0), reviewer="Ada")) == [(0, (1,), 0), (1, (2,), 0)]
    assert shown(()) == []


def test_taking_back_brings_back_what_was_said_before() -> None:
    entries = said((1, 0)) + said((1, 5), when="10:01")
    added, later = taken_back(entries, standing_steps(entries)[-1], "10:02", "Ada")
    assert [(one.region, one.owner) for one in added] == [(1, UNTOUCHED), (1, 0)]
    assert (later, added[0].reviewer) == ([], "Ada")
    assert shown(entries + added) == [(0, (1,), 0)]


def test_the_same_again_after_taking_back_is_a_step() -> None:
    entries = said((1, 0)) + said((1, UNTOUCHED), when="10:01") + said((1, 0), when="10:02")
    assert shown(entries) == [(2, (1,), 0)]


def test_whatever_is_done_and_undone_the_file_says_what_the_steps_say() -> None:
    generator = np.random.default_rng(0)
    for _ in range(8):
        entries: tuple[Correction, ...] = ()
        stacks: dict[int, list[int]] = {}
        for moment in range(30):
            steps = standing_steps(entries)
            if steps and generator.random() < 0.4:
                entries += taken_back(entries, steps[-1], f"moment {moment}", None)[0]
                for region in steps[-1].regions:
                    stacks[region].pop()
            else:
                owner = int(generator.integers(-1, 3))
                regions = [int(one) for one in generator.choice(4, generator.integers(1, 4), replace=False)]
                entries += said(*((region, owner) for region in regions), when=f"moment {moment}")
                for region in regions:
                    stacks.setdefault(region, []).append(owner)
        owners = Corrections("scene", "regions", entries).owners(4, 3)
        assert owners.tolist() == [
            stacks.get(region, [])[-1] if stacks.get(region) else UNTOUCHED for region in range(4)
        ]
