"""The command ``boxgp``: parses, calls, and turns errors into messages and exit codes.

``boxgp --help`` has to answer at once: everything else is imported inside the functions that need it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.arguments import parser
from pipeline.errors import BoxgpError, LostError
from pipeline.interrupts import CTRL_C, SIGTERM, exit_code, terminate_like_interrupt

if TYPE_CHECKING:
    from pipeline.stage import Stage

DONE, FAILED, NOTHING_STARTED, BROKEN = 0, 1, 2, 3
_OF_STAGES = {
    "export": "stages.export.command:export",
    "import-labels": "stages.pseudo_labels.command:import_labels",
    "release": "stages.release.command:release",
    "report": "stages.report.command:report",
    "review": "stages.review.command:review",
    "evaluate": "stages.review.simulate_command:evaluate",
    "render": "stages.report.render_command:render",
}
"""Commands that know points, by dotted path: they take the parsed arguments and the stages, and return an exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line; returns the exit code (see ``boxgp --help``)."""
    arguments = parser().parse_args(argv)
    terminate_like_interrupt()
    try:
        code = _run_command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever read our output has stopped (`boxgp stages | head`); Python must not complain when it closes stdout
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt as stop:
        code = exit_code(stop)
    except BoxgpError as error:
        if arguments.debug:
            _print_traceback()
        print(f"boxgp: {error}", file=sys.stderr)
        return FAILED if isinstance(error, LostError) else NOTHING_STARTED
    except Exception as error:  # noqa: BLE001 (the last line of defence: a message instead of a traceback)
        _report_unexpected(error, arguments.debug)
        return BROKEN
    if code in {CTRL_C, SIGTERM}:
        print("boxgp: stopped; what was finished is kept, and the same command goes on from there", file=sys.stderr)
    return code


def _run_command(arguments: argparse.Namespace) -> int:
    if arguments.command == "validate":
        return _validate(arguments)
    from pipeline.threads import use_one_thread

    use_one_thread()  # numpy counts its threads when it is imported
    if arguments.command in _OF_STAGES:
        from importlib import import_module

        module, _, name = _OF_STAGES[arguments.command].partition(":")
        return getattr(import_module(module), name)(arguments, _stages())
    from pipeline import cluster_commands, commands
    from pipeline.show_stats import stats

    command = {
        "run": commands.run,
        "plan": commands.plan,
        "status": commands.status,
        "failures": commands.failures,
        "stats": stats,
        "stages": commands.list_stages,
        "submit": cluster_commands.submit,
        "cancel": cluster_commands.cancel,
        "worker": cluster_commands.worker,
    }[arguments.command]
    return command(arguments, _stages())


def _stages() -> list[tuple[str, type[Stage]]]:
    """The stages of a run: dotted path and class."""
    import importlib

    import stages

    loaded = []
    for path in stages.PIPELINE:
        module, _, name = path.partition(":")
        loaded.append((path, getattr(importlib.import_module(module), name)))
    return loaded


def _validate(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from pipeline.show import problem_listing
    from stages.scenes.validate import validate_path

    problems = validate_path(Path(arguments.path).expanduser())
    print(problem_listing(arguments.path, problems))
    return FAILED if any(problem.severity == "error" for problem in problems) else DONE


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def _report_unexpected(error: Exception, debug: bool) -> None:
    import tempfile
    import traceback

    kind, message = type(error).__name__, str(error).partition("\n")[0]
    if debug:
        _print_traceback()
        where = "see above"
    else:
        with tempfile.NamedTemporaryFile("w", prefix="boxgp-error-", suffix=".txt", delete=False) as file:
            file.write("".join(traceback.format_exception(error)))
        where = f"the traceback is in {file.name}"
    print(f"boxgp: unexpected {kind}: {message}; {where}", file=sys.stderr)


if __name__ == "__main__":  # for jobs, where no command `boxgp` lies beside this Python
    sys.exit(main())
