"""What all executors have in common: they run the tasks of a plan and tell how each ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.progress import Progress
from pipeline.records import Record, TaskOutcome
from pipeline.tasks import Plan


@dataclass
class Outcome:
    """How a run ended: label of each step -> number of tasks done, kept, failed and blocked."""

    counts: dict[str, Counter[TaskOutcome]] = field(default_factory=dict)
    failed: list[Record] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    """label -> warnings of the tasks that ran"""
    stopped: int = 0
    """the exit code of a run that was asked to stop, 0 where it was not"""

    def begin(self, label: str, kept: int) -> None:
        """A step begins, of which ``kept`` tasks were done before."""
        counts = self.counts.setdefault(label, Counter())
        if kept:
            counts[TaskOutcome.KEPT] += kept

    def add(self, record: Record) -> None:
        """A task has ended."""
        self.counts[record.label][record.outcome] += 1
        self.warnings[record.label] += len(record.warnings)
        if record.outcome is TaskOutcome.FAILED:
            self.failed.append(record)

    def count(self, outcome: TaskOutcome) -> int:
        """The number of tasks of all stages that ended like this."""
        return sum(counts[outcome] for counts in self.counts.values())

    @property
    def exit_code(self) -> int:
        """0 where all is done, 1 where something failed or was blocked, 130 after Ctrl-C, 143 after SIGTERM."""
        if self.stopped:
            return self.stopped
        return 1 if self.count(TaskOutcome.FAILED) or self.count(TaskOutcome.BLOCKED) else 0


class Executor(ABC):
    """Runs plans somewhere. Results, failures and records do not depend on which one it is."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Where tasks run, as it follows `12 tasks to run`: ``in this process``."""

    @abstractmethod
    def run(self, plan: Plan, saved: Path, progress: Progress, outcome: Outcome) -> None:
        """Runs all tasks of ``plan``, which lies in ``saved``, that are not done and notes their ends.

        KeyboardInterrupt passes through.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends everything that was started, whatever it is doing."""
