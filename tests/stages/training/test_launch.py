import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.stage import DatasetJob
from stages.training.augment import Augmentation
from stages.training.checkpoint import Checkpoint
from stages.training.launch import Training, run
from stages.training.loop import TrainingError
from stages.training.monitor import METRICS
from tests.stages.training.stored_rows import NETWORK, rows_job
from tests.stages.training.toy_training import same, toy_settings


def folders(job: DatasetJob, split: str) -> list[dict[str, str]]:
    return [
        {"scene": one.scene, **{name: str(path) for name, path in one.inputs.items()}}
        for one in job.scenes
        if one.split == split
    ]


def training(folder: Path, workspace: str = "work", **changes: Any) -> Training:
    job = rows_job(folder)
    return replace(
        Training(
            network=NETWORK,
            options={"dropout": 0.2},
            class_names=("chair", "table"),
            uncertainty="kl",
            settings=toy_settings(4, validate_every=2),
            augmentation=Augmentation(),
            crop_points=500,
            precision="32",
            device="cpu",
            devices=1,
            train=folders(job, "train"),
            val=folders(job, "val"),
            workspace=str(folder / workspace),
            start=None,
        ),
        **changes,
    )


def silent(done: int, total: int, words: str) -> None:
    """Nobody watches."""


def last(task: Training) -> Checkpoint:
    found = task.checkpoints.last()
    assert found is not None
    return found


def test_as_json_and_back(tmp_path: Path) -> None:
    task = training(tmp_path)
    again = Training.from_json(json.dumps(asdict(task)))
    assert again == replace(task, class_names=["chair", "table"])


def test_settings_that_do_not_decide_keep_the_checkpoints(tmp_path: Path) -> None:
    task = training(tmp_path)
    run(task, silent)
    assert replace(task, settings=replace(task.settings, checkpoint_every=1)).checkpoints.last() is not None
    for changed in (
        replace(task, settings=replace(task.settings, seed=1)),
        replace(task, options={}),
        replace(task, crop_points=None),
        replace(task, train=task.train[1:]),
    ):
        assert changed.checkpoints.last() is None


def started(task: Training, code: str) -> subprocess.Popen[bytes]:
    """Another process that trains."""
    path = Path(task.workspace).with_suffix(".json")
    path.write_text(json.dumps(asdict(task)))
    program = f"from pathlib import Path\nfrom stages.training.launch import Training, run\n{code}"
    return subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=Path(__file__).parents[3])


def steps_made(task: Training) -> int:
    path = Path(task.workspace) / METRICS
    return len(path.read_text().splitlines()) if path.exists() else 0


def wait_for(happened: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


TRAIN = "import sys\nrun(Training.from_json(Path(sys.argv[1]).read_text()), lambda *_: None)"


@pytest.mark.slow
def test_killed_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    settings = toy_settings(60, checkpoint_every=7, validate_every=10)
    whole = training(tmp_path, "whole", settings=settings)
    run(whole, silent)
    task = training(tmp_path, settings=settings)
    for steps in (9, 20):
        process = started(task, TRAIN)
        wait_for(lambda steps=steps: steps_made(task) >= steps)  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert steps_made(task) < 60
    assert task.checkpoints.last() is not None
    run(task, silent)
    assert same(vars(last(task)), vars(last(whole)))
    assert (Path(task.workspace) / METRICS).read_bytes() == (Path(whole.workspace) / METRICS).read_bytes()


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    changes = {"options": {}, "settings": toy_settings(6, batch_size=2, accumulate=2, validate_every=3)}
    one, two = training(tmp_path, "one", **changes), training(tmp_path, "two", devices=2, **changes)
    run(one, silent)
    reports: list[tuple[int, int, str]] = []
    run(two, lambda *report: reports.append(report))
    assert [report[:2] for report in reports] == [(step, 6) for step in range(1, 7)]
    first, second = last(one), last(two)
    for theirs, ours in zip(second.history, first.history, strict=True):
        assert theirs["train"] == pytest.approx(ours["train"], rel=1e-4)
    assert [record.get("val") for record in second.history] == [record.get("val") for record in first.history]
    assert second.network.keys() == first.network.keys()


@pytest.mark.slow
def test_a_failure_among_processes_is_told(tmp_path: Path) -> None:
    task = training(tmp_path, devices=2, settings=toy_settings(4, batch_size=2, learning_rate=1e30, clip=1e30))
    with pytest.raises(TrainingError, match=r"step \d: the loss is not finite, with scene row\d"):
        run(task, silent)
    with pytest.raises(ValueError, match="batch_size 3 cannot be shared by 2 processes"):
        run(replace(task, settings=toy_settings(4, batch_size=3)), silent)


@pytest.mark.slow
def test_no_process_outlives_the_one_that_waits(tmp_path: Path) -> None:
    task = training(tmp_path, devices=2, settings=toy_settings(100_000, batch_size=2))
    process = started(task, TRAIN)
    wait_for(lambda: steps_made(task) >= 2)
    process.kill()
    process.wait()
    mark = str(task.workspace).encode()
    wait_for(lambda: not any(mark in line for line in command_lines()))


def command_lines() -> list[bytes]:
    """Of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets a program run in the place of torchrun."""
    start = subprocess.Popen

    def replace_by(program: str) -> None:
        def popen(command: list[str], **options: Any) -> subprocess.Popen[str]:
            assert options["env"]["PYTHONSAFEPATH"] == "1"
            return start([sys.executable, "-c", program], **options)

        monkeypatch.setattr(subprocess, "Popen", popen)

    return replace_by


def test_reports_of_processes_are_forwarded(launcher: Callable[[str], None], tmp_path: Path) -> None:
    launcher("print('a warning')\nprint('boxgp report: [1, 4, \"loss 0.5\"]')")
    reports: list[tuple[int, int, str]] = []
    run(training(tmp_path, devices=2), lambda *report: reports.append(report))
    assert reports == [(1, 4, "loss 0.5")]


def test_processes_that_die_leave_their_last_words(launcher: Callable[[str], None], tmp_path: Path) -> None:
    launcher("import os\nprint('Bus error, core dumped', flush=True)\nos.kill(os.getpid(), 9)")
    with pytest.raises(TrainingError, match=r"have died; their last words:\nBus error, core dumped"):
        run(training(tmp_path, devices=2), silent)


def test_processes_end_with_the_one_that_waits(launcher: Callable[[str], None], tmp_path: Path) -> None:
    launcher("import os, time\nprint(f'boxgp report: [{os.getpid()}, 4, \"\"]', flush=True)\ntime.sleep(600)")
    processes: list[int] = []

    def stop(done: int, total: int, words: str) -> None:
        processes.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(training(tmp_path, devices=2), stop)
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)
