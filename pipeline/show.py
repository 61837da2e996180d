"""Text for people: tables, the problems of a data set, the options of stages."""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pipeline.schema import Option
    from pipeline.stage import Stage

_WIDEST = 100
_NARROWEST = 30
"""columns that the last column of a table keeps on a narrow terminal"""


class Problem(Protocol):
    """What ``boxgp validate`` shows: one thing wrong with one scene."""

    @property
    def scene(self) -> str:
        """Id of the scene."""

    @property
    def severity(self) -> str:
        """``error`` or ``warning``."""

    @property
    def message(self) -> str:
        """What is wrong."""

    @property
    def remedy(self) -> str:
        """What to do about it."""


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Aligned columns, numbers to the right; on a terminal the last column is wrapped to its width."""
    cells = [tuple(header), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    numeric = [all(row[column].isdecimal() for row in cells[1:]) for column in range(len(header))]
    before = sum(widths[:-1]) + 2 * (len(widths) - 1)
    room = max(shutil.get_terminal_size((10_000, 24)).columns - before, _NARROWEST)
    lines = []
    for row in cells:
        aligned = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        last = [aligned[-1]] if len(aligned[-1].rstrip()) <= room else textwrap.wrap(row[-1], room)
        lines.append("  ".join([*aligned[:-1], last[0]]).rstrip())
        lines += [" " * before + line for line in last[1:]]
    return "\n".join(lines)


def problem_listing(path: str, problems: Sequence[Problem]) -> str:
    """All problems of a data set by scene, and a summary."""
    if not problems:
        return f"{path}: no problems"
    lines = []
    for scene in dict.fromkeys(problem.scene for problem in problems):
        lines.append(scene)
        for problem in problems:
            if problem.scene == scene:
                lines.append(f"  {problem.severity}: {problem.message}")
                lines.append(f"    -> {problem.remedy}")
    counts = Counter(problem.severity for problem in problems)
    scenes = len({problem.scene for problem in problems if problem.severity == "error"})
    errors = f"{count(counts['error'], 'error')} in {count(scenes, 'scene')}" if scenes else "no errors"
    return "\n".join([*lines, "", f"{path}: {errors}, {count(counts['warning'], 'warning')}"])


def count(number: int, noun: str) -> str:
    """``1 scene``, ``2 scenes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def stage_listing(stage: type[Stage], options: Sequence[Option]) -> str:
    """One stage: what it does, what it reads, and its options; those of a choice after what all variants share."""
    per = "once for each scene" if stage.granularity == "scene" else "once over all scenes"
    reads = ", ".join(stage.inputs) or "the raw data"
    return section_listing([f"{stage.name}: {first_line(stage)}", f"  runs {per}; reads {reads}"], options)


def section_listing(heading: Sequence[str], options: Sequence[Option]) -> str:
    """One section of a configuration: its heading and its options."""
    lines = [*heading] if options else [*heading, "  has no options"]
    for choice in dict.fromkeys(option.choice for option in options):
        lines += _choice_listing(choice, [option for option in options if option.choice == choice])
    return "\n".join(lines)


def _choice_listing(choice: str, options: Sequence[Option]) -> list[str]:
    variants = list(dict.fromkeys(option.variant for option in options))
    lines = []
    if choice:
        lines += ["", f"  {choice}: {' | '.join(variants)} (required)"]
        for option in options:
            if option.key == choice:
                lines += wrapped(f"{option.variant}: {option.meaning}", 6)
        options = [option for option in options if option.key != choice]
    alike = Counter(replace(option, variant="") for option in options)
    shared = [option for option, times in alike.items() if times == len(variants)]
    lines += ["", *_option_lines(shared)] if shared else []
    for variant in variants:
        own = [option for option in options if option.variant == variant and replace(option, variant="") not in shared]
        if own:
            lines += ["", f"  with {choice}: {variant}", *_option_lines(own)]
    return lines


def _option_lines(options: Sequence[Option]) -> list[str]:
    lines = []
    for option in options:
        default = "required" if option.required else f"default {option.default}"
        lines += [f"  {option.key}: {option.type} ({default})", *wrapped(option.meaning, 6)]
    return lines


def wrapped(text: str, indent: int) -> list[str]:
    """Indented lines of at most 100 columns, fewer on a narrow terminal."""
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    return textwrap.wrap(text, max(width, 2 * indent), initial_indent=" " * indent, subsequent_indent=" " * indent)


def first_line(documented: Any) -> str:
    """The first line of a docstring."""
    return (documented.__doc__ or "").strip().partition("\n")[0].replace("``", "`")
