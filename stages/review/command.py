"""``boxgp review``: serves the page until Ctrl-C."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from pipeline.errors import InputError
from pipeline.results import results_of
from pipeline.show import count
from pipeline.stage import Stage
from stages.review.desk import Desk
from stages.review.guard import Guard
from stages.review.opened import OpenScenes
from stages.review.server import application

_HERE = "127.0.0.1"


class _Silent(WSGIRequestHandler):
    """Writes no line for a request: the first one has the token in it."""

    def log(self, *said: object) -> None:
        """Says nothing; what goes wrong, the page shows and the application prints."""


def review(arguments: argparse.Namespace, stages: Sequence[tuple[str, type[Stage]]]) -> int:
    """Serves the page of one run on this machine alone until Ctrl-C; every correction is saved when it is made."""
    del stages
    results = results_of(arguments.run, arguments.round)
    desk = Desk(results, OpenScenes(results), arguments.reviewer)
    with _listening(arguments.port) as listener:
        guard = Guard(listener.getsockname()[1])
        server = make_server(
            _HERE, 0, application(desk, guard), threaded=True, request_handler=_Silent, fd=listener.fileno()
        )
        print(f"Reviewing {results.folder}, round {results.round}: {count(len(results.scenes()), 'scene')}")
        print(f"Open this link in a browser on this machine; Ctrl-C ends the review:\n\n  {guard.link}\n", flush=True)
        _serve(server)
    print(f"\n{_farewell(desk)}")
    return 0


def _serve(server: BaseWSGIServer) -> None:
    with suppress(KeyboardInterrupt):  # serve_forever itself ends at Ctrl-C; this is for one before it listens
        server.serve_forever()


def _farewell(desk: Desk) -> str:
    scenes = desk.overview()
    reviewed = [one for one in scenes if one["corrected"]]
    for one in scenes:
        if one["problem"]:
            print(f"boxgp: {one['problem']}", file=sys.stderr)
    if not reviewed:
        return "No region is corrected."
    regions = sum(one["corrected"] for one in reviewed)
    return (
        f"{count(regions, 'region')} of {count(len(reviewed), 'scene')} corrected. "
        f"This makes the labels heed that:\n\n  {desk.command}"
    )


def _listening(port: int) -> socket.socket:
    """A socket that listens on this machine alone; raises InputError where the port cannot be had."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_HERE, port))
        listener.listen(128)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"port {port} cannot be used ({reason}): choose another with --port, or leave it out for any free one"
        ) from error
    return listener
