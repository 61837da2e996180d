"""Corrections as a list that only grows: which steps of it still hold, and how one is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stages.review.corrections import UNTOUCHED, Correction


@dataclass(frozen=True)
class Step:
    """What a person did at once: some regions, given to one owner."""

    first: int
    """place of its first entry"""
    regions: tuple[int, ...]
    """those for which the step still counts"""
    owner: int
    when: str
    reviewer: str | None


def standing_steps(entries: Sequence[Correction]) -> list[Step]:
    """The steps that nobody took back, the oldest first.

    Entries with one owner, moment and reviewer that follow each other are one step. An UNTOUCHED entry takes back what
    was said last of its region; what counts again then is said once more by the next entry (``taken_back``).
    """
    said: dict[int, list[int]] = {}
    for place, entry in enumerate(entries):
        before = said.setdefault(entry.region, [])
        if entry.owner == UNTOUCHED:
            del before[-1:]
        elif not _says_again(entries, place, before):
            before.append(place)
    standing = {place for places in said.values() for place in places}
    steps: list[Step] = []
    first = 0
    for place, entry in enumerate(entries):
        if place and _key(entries[place - 1]) != _key(entry):
            first = place
        if place not in standing:
            continue
        if not steps or steps[-1].first != first:
            steps.append(Step(first, (), entry.owner, entry.when, entry.reviewer))
        steps[-1] = Step(first, (*steps[-1].regions, entry.region), entry.owner, entry.when, entry.reviewer)
    return steps


def taken_back(
    entries: Sequence[Correction], step: Step, when: str, reviewer: str | None
) -> tuple[tuple[Correction, ...], list[int]]:
    """The entries that take a step back, and its regions that stay as they are since a later step decided them anew.

    Each region becomes what the step before on it said, or untouched.
    """
    steps_on: dict[int, list[Step]] = {}
    for one in standing_steps(entries):
        for region in one.regions:
            steps_on.setdefault(region, []).append(one)
    added: list[Correction] = []
    decided_later = []
    for region in step.regions:
        on_region = steps_on[region]
        if on_region[-1].first != step.first:
            decided_later.append(region)
            continue
        added.append(Correction(region, UNTOUCHED, when, reviewer))
        if len(on_region) > 1:
            added.append(Correction(region, on_region[-2].owner, when, reviewer))
    return tuple(added), decided_later


def _says_again(entries: Sequence[Correction], place: int, said: Sequence[int]) -> bool:
    """Whether an entry only repeats what counts again after the entry before it took something back."""
    if not place or not said:
        return False
    entry, before = entries[place], entries[place - 1]
    taken = before.owner == UNTOUCHED and before.region == entry.region
    return taken and entries[said[-1]].owner == entry.owner


def _key(entry: Correction) -> tuple[int, str, str | None]:
    return entry.owner, entry.when, entry.reviewer
