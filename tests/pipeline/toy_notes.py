"""The toy run with a stage that reads a file of the run's folder where there is one."""

from __future__ import annotations

from pathlib import Path

from toy_stages import TOY_STAGES, Double, Toy, plan_of

from pipeline.tasks import Plan


class Noted(Double):
    """``double`` that also adds the number in ``notes/<scene>.txt`` of the run."""

    run_files = ("notes/{scene}.txt",)


STAGES = tuple(("toy_notes:Noted", Noted) if stage is Double else (path, stage) for path, stage in TOY_STAGES)


def noted_plan(toy: Toy, offsets: Path | None = None) -> Plan:
    """The plan of the run over ``toy`` with notes."""
    return plan_of(toy, {"double": {"offsets": offsets}}, STAGES)


def note(toy: Toy, scene: str, number: int) -> Path:
    """Writes the note of a scene."""
    path = toy.output / "notes" / f"{scene}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(number))
    return path
