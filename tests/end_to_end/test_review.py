"""The real command ``boxgp review``: what it prints, whom it lets in, how it ends."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.command import boxgp, start

PATIENCE_SECONDS = 60.0


@contextmanager
def reviewing(run: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running ``boxgp review`` and the link that it prints; it is gone in the end."""
    process = start("review", run, *options, cwd=run.parent)
    try:
        assert process.stdout is not None
        link = next(found for line in process.stdout if (found := re.search(r"http://\S+", line)))
        yield process, link.group()
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and further output after Ctrl-C."""
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, said


def answer(link: str, path: str, cookie: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What the server answers to one request: status, headers, content."""
    port = urlsplit(link).port
    assert port is not None
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path, headers={"Cookie": cookie, **headers})
        found = connection.getresponse()
        return found.status, dict(found.getheaders()), found.read()
    finally:
        connection.close()


@pytest.fixture
def run(undisturbed: Path, tmp_path: Path) -> Path:
    """A complete run of one's own."""
    return Path(shutil.copytree(undisturbed, tmp_path / "out"))


@pytest.mark.slow
def test_the_token_is_told_once_and_opens_the_page(run: Path) -> None:
    with reviewing(run) as (process, link):
        assert urlsplit(link).hostname == "127.0.0.1"
        token = link.partition("token=")[2]
        assert len(token) >= 40
        assert answer(link, "/")[0] == 401
        assert answer(link, "/?token=wrong")[0] == 401
        assert answer(link, f"/?token={token}", Host="evil.example")[0] == 403
        status, headers, _ = answer(link, f"/?token={token}")
        assert (status, headers["Location"]) == (302, "/")
        cookie = headers["Set-Cookie"].partition(";")[0]
        status, _, content = answer(link, "/api/run", cookie)
        assert (status, [one["scene"] for one in json.loads(content)["scenes"]]) == (
            200,
            ["room_0000", "room_0001", "room_0002"],
        )
        code, said = ended(process)
        assert code == 0
        assert "No region is corrected." in said
        assert token not in said
        assert "GET" not in said
    assert not [path for path in run.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]


@pytest.mark.slow
def test_only_this_machine_is_served(run: Path) -> None:
    with reviewing(run) as (_, link):
        port = urlsplit(link).port
        assert port is not None
        with socket.socket() as other, pytest.raises(OSError, match="refused"):
            other.connect(("127.0.0.2", port))  # a server on all addresses would answer here


@pytest.mark.slow
def test_ports_that_cannot_be_had(run: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = boxgp("review", run, "--port", port, cwd=run.parent)
    assert refused.code == 2
    assert f"port {port} cannot be used (Address already in use): choose another with --port" in refused.err
    refused = boxgp("review", run, "--port", "70000", cwd=run.parent)
    assert refused.code == 2
    assert "port 70000 cannot be used" in refused.err


@pytest.mark.slow
def test_what_is_no_run(tmp_path: Path) -> None:
    refused = boxgp("review", tmp_path, cwd=tmp_path)
    assert refused.code == 2
    assert "is no folder of a run" in refused.err
