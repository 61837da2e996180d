"""The arguments of the command ``boxgp``: what can be asked for, and its help."""

from __future__ import annotations

import argparse

from pipeline.result_arguments import RUN, add_result_commands, whole_number

_DESCRIPTION = """\
Instance masks with calibrated uncertainty, from 3D scans annotated only with boxes."""
_FIRST_STEPS = """\
first steps:
  boxgp run demo               label the built-in rooms on a CPU, to see what comes out
  boxgp validate scans/        check a folder of your own scans and boxes
  boxgp run folder --set scenes.path=scans/ --output outputs/mine
                               label them; run it again after a crash or a change: only what is missing is computed
  boxgp stages                 all options of all stages, for your own YAML file

exit codes: 0 all done; 1 some scenes failed, the others are done; 2 nothing could start (configuration, input,
output); 3 an error in boxgp itself; 130 stopped with Ctrl-C, 143 with SIGTERM"""
_RUN = """\
Runs the stages of a configuration on all its scenes. What is done already, with the same inputs, options and version,
is kept; a scene that fails is reported at the end while the others go on."""
_PLAN = """\
Shows what `boxgp run` with the same arguments would compute, and why. Computes nothing; raw files are hashed
once, and the hashes kept in the output folder."""
_SUBMIT = """\
Hands what `boxgp run` with the same arguments would compute to SLURM and returns at once: one job array a stage, each
after the stage before. `boxgp status` tells how far they are; submitting again computes what is missing then."""
_CONFIGURATION = """\
a YAML file (my.yaml, ./my), or the name of a built-in configuration (demo)"""


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    parser = argparse.ArgumentParser(
        prog="boxgp",
        description=_DESCRIPTION,
        epilog=_FIRST_STEPS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    _add_run(commands)
    _add_plan(commands)
    _add_run_folder_commands(commands)
    _add_cluster_commands(commands)
    add_result_commands(commands)
    _add_data_commands(commands)
    for command in commands.choices.values():
        command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002 (argparse's name)
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"boxgp {version('boxgp')}")
        parser.exit()


def _add_selection(command: argparse.ArgumentParser) -> None:
    command.add_argument("configuration", metavar="CONFIG", help=_CONFIGURATION)
    command.add_argument(
        "--output", metavar="DIR", help="folder of the results (default: outputs/<name of the configuration>)"
    )
    command.add_argument(
        "--set",
        dest="overrides",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change one option, such as --set posteriors.engine=laplace; may be given several times "
        "(`boxgp stages` lists all)",
    )
    command.add_argument(
        "--stage",
        metavar="A..B",
        help="only these stages: one (features), a range (features..posteriors), from one on (features..) or up to one "
        "(..features)",
    )
    command.add_argument(
        "--scenes", metavar="IDS", help="only these scenes: ids with commas between, or a .txt file with one id a line"
    )
    command.add_argument(
        "--force",
        metavar="STAGE",
        action="append",
        default=[],
        help="compute this stage again although it is done; may be given several times",
    )


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("run", help="compute what is missing", description=_RUN)
    _add_selection(command)
    command.add_argument(
        "--executor",
        metavar="NAME",
        help="where to compute: local (default), dask, dask-slurm, dask-pbs, dask-lsf, dask-sge, slurm, or a YAML file "
        "of your own; its options are those of section `executor`",
    )
    command.add_argument(
        "--workers",
        metavar="N",
        type=whole_number,
        help="processes that work at the same time (default: 0, everything in this process; dask: one a core)",
    )


def _add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("plan", help="show what would run, and why", description=_PLAN)
    _add_selection(command)
    command.add_argument("--verbose", action="store_true", help="list every scene")


def _add_run_folder_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "status",
        help="how far a run is",
        description="Counts, for each stage of a run, the scenes that are done, stale (done with other inputs, options "
        "or version), missing or failed.",
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    command = commands.add_parser(
        "failures",
        help="what failed in a run, and what to do",
        description="Shows each failure of a run: what went wrong, what to do about it and where the log is.",
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument("scene", metavar="SCENE", nargs="?", help="only the failures of this scene")
    command.add_argument("--traceback", action="store_true", help="show where in the program each failure arose")

    command = commands.add_parser(
        "stats",
        help="what a run cost and how its labels came about",
        description="Adds up all results of a run: tasks, seconds and memory a stage, who decided the labels, GP fits "
        "and jitter retries, the slowest scenes, and how labels drift between rounds.",
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument("--json", action="store_true", help="the same as JSON, for programs")


def _add_cluster_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("submit", help="hand a run to SLURM", description=_SUBMIT)
    _add_selection(command)
    command.add_argument(
        "--executor",
        metavar="NAME",
        default="slurm",
        help="YAML file with partition, account, time, ... of the jobs (default: section `executor` of CONFIG)",
    )
    command.add_argument("--dry-run", action="store_true", help="print the job scripts and submit nothing")
    command = commands.add_parser(
        "cancel",
        help="end the SLURM jobs of a run",
        description="Ends all jobs of a run that wait or run in SLURM. What was finished is kept.",
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    # started by job scripts alone, so that the list of commands does not name it
    command = commands.add_parser("worker", description="What one SLURM job does: some scenes of one stage of a plan.")
    command.add_argument("--plan", metavar="DIR", required=True, help="folder of the plan")
    command.add_argument(
        "--step", metavar="K", type=whole_number, required=True, help="position of the stage in the plan"
    )
    command.add_argument("--index", metavar="I", type=whole_number, required=True, help="which of its chunks")
    command.add_argument("--size", metavar="N", type=whole_number, required=True, help="scenes of a chunk")


def _add_data_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "stages",
        help="the stages and their options",
        description="Lists each stage with its options: type, default and meaning. In a YAML file an option `a.b` is "
        "key `b` in section `a`; on the command line it is --set a.b=value.",
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="only this stage")
    command = commands.add_parser(
        "validate",
        help="check a data set before running on it",
        description="Reads every scene of a folder (own scans, ScanNet or S3DIS, recognised by its layout) and lists "
        "all problems with what to do about each. Exit code 1 when a scene could not be used as it is.",
    )
    command.add_argument("path", metavar="PATH", help="folder of the data set, or the file of one scene")
