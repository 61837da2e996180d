"""SIGTERM is an interrupt of its own kind; asked twice, a process ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.interrupts import CTRL_C, SIGTERM, Terminated, exit_code, terminate_like_interrupt

_HOLDS_ON = """
import time
from pipeline.interrupts import Terminated, terminate_like_interrupt
terminate_like_interrupt()
try:
    print("ready", flush=True)
    time.sleep(60)
except Terminated:
    print("asked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def terminating() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    terminate_like_interrupt()
    yield
    signal.signal(signal.SIGTERM, before)


def test_exit_codes() -> None:
    assert exit_code(KeyboardInterrupt()) == CTRL_C == 128 + signal.SIGINT
    assert exit_code(Terminated()) == SIGTERM == 128 + signal.SIGTERM


@pytest.mark.usefixtures("terminating")
def test_sigterm_raises_in_the_main_thread() -> None:
    with pytest.raises(Terminated):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.usefixtures("terminating")
def test_sigterm_from_another_thread_ends_a_wait_of_the_main_one() -> None:
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
    with pytest.raises(Terminated):
        time.sleep(60)


def test_the_second_one_ends_the_process() -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDS_ON], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for expected in ("ready\n", "asked\n"):
            assert process.stdout.readline() == expected
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
