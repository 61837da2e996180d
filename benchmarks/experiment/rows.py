"""The rows of the experiment, and the trainings that they need."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # the process that starts all others needs no torch
    from stages.training.losses.kl import Uncertainty

Rule = Literal["truth", "none", "smallest_box", "gp"]
"""Who decides contested regions; ``gp``: the posteriors as the configuration has them."""
RULES: tuple[Rule, ...] = ("truth", "none", "smallest_box", "gp")


@dataclass(frozen=True)
class Row:
    """One row of the table: all its trainings differ by their seed alone."""

    key: str
    name: str
    labels: Rule
    uncertainty: Uncertainty = "none"
    self_training: bool = False
    """the second phase learns from labels that the network of the first one has improved"""


CEILING, LEFT_OUT, SMALLEST_BOX, GP = "truth", "none", "smallest_box", "gp"
ROWS: tuple[Row, ...] = (
    Row(CEILING, "full masks", "truth"),
    Row(LEFT_OUT, "contested left out", "none"),
    Row(SMALLEST_BOX, "smallest box", "smallest_box"),
    Row(GP, "GP", "gp"),
    Row("gp_kl", "GP + KL", "gp", "kl"),
    Row("gp_self_training", "GP + self-training", "gp", self_training=True),
    Row("gp_kl_self_training", "GP + KL + self-training", "gp", "kl", self_training=True),
)


@dataclass(frozen=True)
class Job:
    """One training: a first phase, which several rows may share, or the second phase of a row."""

    labels: Rule
    uncertainty: Uncertainty
    seed: int
    row: Row | None = None
    """None: a first phase"""

    @property
    def name(self) -> str:
        """Of its files."""
        if self.row is None:
            return f"first-{self.labels}-{self.uncertainty}-{self.seed}"
        return f"second-{self.row.key}-{self.seed}"

    @property
    def title(self) -> str:
        """For people."""
        if self.row is None:
            return f"first phase on labels {self.labels}, uncertainty {self.uncertainty}, seed {self.seed}"
        return f"{self.row.name}, seed {self.seed}"

    @property
    def first(self) -> Job | None:
        """The training that it goes on from."""
        return None if self.row is None else Job(self.labels, self.uncertainty, self.seed)


def jobs_of(rows: Sequence[Row], seeds: Collection[int]) -> list[Job]:
    """All trainings of some rows, first phases before second ones, seed after seed."""
    second = [Job(row.labels, row.uncertainty, seed, row) for seed in seeds for row in rows]
    first = dict.fromkeys(Job(one.labels, one.uncertainty, one.seed) for one in second)
    return [*first, *second]


def chosen_rows(keys: Sequence[str]) -> list[Row]:
    """The rows with these keys, all without any; raises ValueError for a key that no row has."""
    known = {row.key: row for row in ROWS}
    unknown = [key for key in keys if key not in known]
    if unknown:
        raise ValueError(f"there is no row {', '.join(unknown)}; there are {', '.join(known)}")
    return [row for row in ROWS if not keys or row.key in keys]
