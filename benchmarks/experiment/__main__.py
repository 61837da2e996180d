"""Seven ways to label and train, three seeds each, one network: what boxes cost against full masks.

    python -m benchmarks.experiment prepare configs/experiment.yaml outputs/experiment/small --seeds 0,1,2
    python -m benchmarks.experiment train outputs/experiment/small --processes 2
    python -m benchmarks.experiment table outputs/experiment/small --json benchmarks/results/experiment.json

``prepare`` labels built-in rooms by every rule and needs the whole of boxgp. ``train`` needs torch, numpy, scipy, the
folders ``benchmarks`` and ``stages``, and of the experiment's folder experiment.json and rooms/, so that it can be done
where a GPU is; stopped in any way, it goes on where it was. ``table`` shows what is done so far.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from benchmarks.experiment.rows import ROWS, chosen_rows, jobs_of
from benchmarks.experiment.settings import ExperimentError, Folder

DONE, FAILED, NOTHING_STARTED, CTRL_C = 0, 1, 2, 130


def main() -> int:
    """The command; gives its exit code."""
    arguments = _parser().parse_args()
    commands = {"prepare": _prepare, "train": _train, "table": _table, "job": _job}
    try:
        return commands[arguments.command](arguments)
    except ExperimentError as error:
        print(f"experiment: {error}", file=sys.stderr)
        return NOTHING_STARTED
    except KeyboardInterrupt:
        print("experiment: stopped; the same command goes on from here", file=sys.stderr)
        return CTRL_C


def _prepare(arguments: argparse.Namespace) -> int:
    from benchmarks.experiment.prepare import prepare
    from pipeline.errors import BoxgpError

    folder = Folder(arguments.folder.resolve())
    try:
        new = prepare(arguments.configuration, folder, arguments.seeds)
    except BoxgpError as error:
        raise ExperimentError(str(error)) from error
    print(f"{folder.path} " + ("is ready" if new else "is ready already"))
    return DONE


def _train(arguments: argparse.Namespace) -> int:
    from benchmarks.experiment.processes import Trainings, stop_like_interrupt

    stop_like_interrupt()
    folder = Folder(arguments.folder.resolve())
    experiment = folder.read()
    unknown = set(arguments.seeds or ()) - set(experiment.seeds)
    if unknown:
        raise ExperimentError(f"seeds {sorted(unknown)} are none of the experiment's, {list(experiment.seeds)}")
    try:
        rows = chosen_rows(arguments.rows or ())
    except ValueError as error:
        raise ExperimentError(str(error)) from error
    device = _device(arguments.device)
    jobs = jobs_of(rows, arguments.seeds or experiment.seeds)
    with folder.alone():
        return DONE if Trainings(folder, experiment, jobs, device).run(arguments.processes) else FAILED


def _table(arguments: argparse.Namespace) -> int:
    from benchmarks.experiment.table import figures_of, rendered
    from benchmarks.tables import write_json

    figures = figures_of(Folder(arguments.folder.resolve()))
    print(rendered(figures))
    write_json(arguments.json, figures)
    return DONE


def _job(arguments: argparse.Namespace) -> int:
    """One training, in a process that ``train`` has started."""
    from benchmarks.experiment.processes import end_with_parent

    threading.Thread(target=end_with_parent, daemon=True).start()
    import torch

    from benchmarks.experiment.job import run_job
    from stages.training.loop import TrainingError

    torch.set_num_threads(1)
    folder = Folder(arguments.folder)
    experiment = folder.read()
    (job,) = (one for one in jobs_of(ROWS, experiment.seeds) if one.name == arguments.name)
    try:
        run_job(job, experiment, folder, torch.device(arguments.device))
    except (TrainingError, ValueError) as error:
        print(error, file=sys.stderr)
        return FAILED
    return DONE


def _device(wanted: str | None) -> str:
    if wanted == "cpu":
        return wanted
    import torch

    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise ExperimentError("torch finds no GPU here: use --device cpu")
    return wanted or ("cuda" if found else "cpu")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.experiment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="prepare|train|table")
    preparing = commands.add_parser("prepare", help="label rooms by every rule")
    preparing.add_argument("configuration", help="a YAML file, or the name of a built-in configuration")
    preparing.add_argument("--seeds", type=_numbers, default=(0, 1, 2), help="with commas between (default: 0,1,2)")
    training = commands.add_parser("train", help="train what is not trained yet")
    training.add_argument("--processes", type=_positive, default=1, help="trainings at the same time, one thread each")
    training.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU where there is one")
    training.add_argument("--rows", type=_words, help=f"some of {','.join(row.key for row in ROWS)}")
    training.add_argument("--seeds", type=_numbers, help="some of the experiment's seeds, with commas between")
    showing = commands.add_parser("table", help="show the figures")
    showing.add_argument("--json", type=Path, help="write them there too")
    working = commands.add_parser("job")  # without help: only `train` calls it
    working.add_argument("--device", required=True)
    for command in (preparing, training, showing, working):
        command.add_argument("folder", type=Path, help="of the experiment")
    working.add_argument("name")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(dict.fromkeys(int(one) for one in text.split(",")))
    if min(numbers) < 0:
        raise ValueError("a seed is not negative")
    return numbers


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("at least one")
    return number


if __name__ == "__main__":
    sys.exit(main())
