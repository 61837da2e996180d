"""Arguments of the commands that take the results of a run further: out of boxgp, into it, and before people's eyes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

RUN = "folder of a run, such as outputs/demo"
_EXPORT = """\
Writes the labels of a run as other trainers read them, one folder a format below DIR. What is there already, made from
the same results, is kept; a scene that lacks what a format needs is reported in the end while the others go on."""
_IMPORT = """\
Takes published GaPro labels (one <scene>.pth of five arrays a scene) as the labels of a run's scenes, in a run of their
own, and evaluates them as ours are."""
_RELEASE = """\
Makes a folder that may be published: labels without the geometry of the scans, checksums, a dataset card, Croissant
metadata, the recipe and the quality table. With --verify, checks such a folder instead."""
_EVALUATE = """\
How much better the labels of a run become when the truth replaces the K most uncertain regions of each scene, beside K
contested regions at random and the K least uncertain."""


def add_result_commands(commands: Commands) -> None:
    """Adds export, import-labels, release, report, review, evaluate and render."""
    _add_export(commands)
    _add_import(commands)
    _add_release(commands)
    _add_looking(commands)


def _add_export(commands: Commands) -> None:
    command = commands.add_parser("export", help="write labels as other trainers read them", description=_EXPORT)
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument(
        "--format",
        dest="formats",
        metavar="FORMAT",
        action="append",
        required=True,
        help="whose format, several times for several; a wrong name lists them all",
    )
    command.add_argument("--to", metavar="DIR", required=True, help="folder to write to")
    _add_round(command)
    command.add_argument(
        "--split",
        metavar="FILE",
        help="which scenes are for what: a YAML or JSON file with train, val, test (default: `splits` of the run)",
    )
    command.add_argument("--scenes", metavar="IDS", help="only these: ids with commas between, or a .txt file")
    command.add_argument(
        "--workers", metavar="N", type=whole_number, default=0, help="processes (default: 0, this one)"
    )
    command.add_argument(
        "--check", action="store_true", help="afterwards, check what was written by its readers' rules"
    )


def _add_import(commands: Commands) -> None:
    command = commands.add_parser("import-labels", help="compare published GaPro labels", description=_IMPORT)
    command.add_argument("labels", metavar="LABELS", help="folder of <scene>.pth files")
    command.add_argument("--run", metavar="RUN", required=True, help="run with the same scenes, such as outputs/mine")
    command.add_argument("--to", metavar="DIR", required=True, help="folder of the new run")
    command.add_argument(
        "--superpoints",
        metavar="DIR",
        help="folder of the <scene>.pth files with the region of each point; for means and variances a region",
    )
    command.add_argument(
        "--trust-pickle",
        action="store_true",
        help="open files that can run code of whoever wrote them; needed for none that holds arrays alone",
    )


def _add_release(commands: Commands) -> None:
    command = commands.add_parser("release", help="make a folder of labels for publication", description=_RELEASE)
    command.add_argument("run", metavar="RUN", nargs="?", help=RUN)
    command.add_argument("--to", metavar="DIR", help="folder to write to")
    _add_round(command)
    command.add_argument("--license", metavar="ID", help="license of the labels, as Hugging Face names it: cc-by-4.0")
    command.add_argument(
        "--license-allows",
        action="store_true",
        help="the license of the scans allows their publication: points, colours and boxes come along",
    )
    command.add_argument("--verify", metavar="DIR", help="check every file of a release against its checksums")


def _add_looking(commands: Commands) -> None:
    command = commands.add_parser(
        "report",
        help="one HTML file that shows a run",
        description="Writes one HTML file that opens from disk: tables, distributions, and the scenes to turn around.",
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument("--to", metavar="FILE", help="file to write (default: RUN/report.html)")
    command.add_argument("--scenes", metavar="IDS", help="only these: ids with commas between, or a .txt file")
    _add_round(command)

    command = commands.add_parser(
        "review",
        help="correct doubtful labels in a browser",
        description="Opens a page, for this machine alone, that shows the regions most worth a look and takes "
        "corrections. `boxgp run` with the same configuration then makes labels that heed them.",
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument("--port", metavar="N", type=whole_number, default=0, help="port (default: any free one)")
    command.add_argument("--reviewer", metavar="NAME", help="noted with each correction")
    _add_round(command)

    command = commands.add_parser("evaluate", help="what correcting doubtful labels would gain", description=_EVALUATE)
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument(
        "--simulate-review", metavar="K", required=True, help="regions a scene; several with commas between: 5,10,20"
    )
    command.add_argument("--json", action="store_true", help="the same as JSON, for programs")
    _add_round(command)

    command = commands.add_parser(
        "render", help="a picture of a scene", description="Writes a picture of one scene, without a screen."
    )
    command.add_argument("run", metavar="RUN", help=RUN)
    command.add_argument("scene", metavar="SCENE", help="id of the scene")
    command.add_argument("file", metavar="FILE", help="PNG file to write")
    command.add_argument(
        "--view",
        metavar="VIEW",
        default="corner",
        help="from where: corner, top, front, side, or azimuth,elevation in degrees",
    )
    command.add_argument(
        "--color", metavar="WHAT", default="label", help="rgb, truth, label, uncertainty, source, superpoint"
    )
    _add_round(command)


def _add_round(command: argparse.ArgumentParser) -> None:
    command.add_argument("--round", metavar="R", type=whole_number, help="round of self-training (default: the last)")


def whole_number(text: str) -> int:
    """For argparse: a number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)
