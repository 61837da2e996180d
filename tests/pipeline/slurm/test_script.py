"""Job scripts: what they say, and that a real SLURM reads every value as it was meant."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster

from pipeline.errors import ConfigurationError
from pipeline.executors.config import SlurmExecutor, SlurmResources
from pipeline.slurm import queue
from pipeline.slurm.script import JobArray, job_script, log_of, resources_of

ARRAY = JobArray("01_double_1", 1, "double", 0, offset=4, scenes=7, size=2)
FOLDERS = (
    "plain",
    'my "run" 5% $HOME\'s',
    "%A %a 100%% #1 `id` $(id)",
    "a\\b %A \\",
    "réseau 椅子 *?[x] {y} ~ ! & ; | < >",
)


def _script(folder: Path, array: JobArray = ARRAY, boxgp: str = "boxgp", **config: object) -> str:
    executor = SlurmExecutor.model_validate({"kind": "slurm", **config})
    return job_script(array, executor, run=folder, plan=folder / "plans" / "p", logs=folder / "logs", boxgp=[boxgp])


def _directives(script: str) -> list[str]:
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]


class TestText:
    def test_options(self) -> None:
        script = _script(Path("/runs/mine"), partition="gpu", account=7, gpus=1, simultaneous=3, sbatch=["--exclusive"])
        assert _directives(script) == [
            '--job-name="boxgp-mine-double"',
            '--chdir="/runs/mine"',
            '--output="/runs/mine/logs/01_double_1.%A_%a.log"',
            '--open-mode="append"',
            '--array="0-3%3"',
            "--requeue",
            '--kill-on-invalid-dep="yes"',
            '--cpus-per-task="1"',
            '--time="01:00:00"',
            '--mem="4G"',
            '--partition="gpu"',
            '--account="7"',
            '--gres="gpu:1"',
            "--exclusive",
        ]
        assert script.splitlines()[-1] == (
            "exec boxgp worker --plan /runs/mine/plans/p --step 1 --size 2 --index $((4 + SLURM_ARRAY_TASK_ID))"
        )
        assert {"export PYTHONSAFEPATH=1", "export OMP_NUM_THREADS=1"} < set(script.splitlines())

    def test_setup_comes_before_the_work(self) -> None:
        lines = _script(Path("/runs/mine"), setup=["module load cuda"]).splitlines()
        assert lines.index("set -e") < lines.index("module load cuda") == len(lines) - 2

    def test_resources_of_one_stage(self) -> None:
        config = SlurmExecutor(stages={"double": SlurmResources(gpus="a100:1", time="00:10:00")}, cpus=2)
        own = resources_of("double", config)
        assert (own.gpus, own.time, own.cpus) == ("a100:1", "00:10:00", 2)
        assert resources_of("batch", config) is config

    @pytest.mark.parametrize(
        ("line", "written"),
        [
            ("--qos=high", '--qos="high"'),
            ("--qos high", '--qos="high"'),
            ("--comment='a b'", '--comment="a b"'),
            ("-C gpu&big", '-C "gpu&big"'),
            ('--comment=a"b', '--comment="a\\"b"'),
        ],
    )
    def test_further_options(self, line: str, written: str) -> None:
        assert _directives(_script(Path("/runs/mine"), sbatch=[line]))[-1] == written

    @pytest.mark.parametrize("line", ["qos=high", "--array=0-9", "-o x", "--", "echo x"])
    def test_options_that_are_refused(self, line: str) -> None:
        with pytest.raises(ConfigurationError, match=r"executor\.sbatch"):
            _script(Path("/runs/mine"), sbatch=[line])

    @pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\tb", "a\x00b", "a\udcffb"])
    def test_control_characters_are_refused(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match="control character"):
            _script(Path("/runs") / name)

    def test_a_path_that_slurm_cannot_hold_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="too long"):
            _script(Path("/runs", *["x" * 200] * 25))

    def test_scenes_of_the_last_job(self) -> None:
        assert [ARRAY.scenes_of(index) for index in range(ARRAY.count)] == [2, 2, 2, 1]


@pytest.mark.slurm
def test_slurm_reads_every_value(slurm: SlurmCluster, tmp_path: Path) -> None:
    """Jobs write their arguments, working folder and log where they should, whatever the folders are called."""
    numbers = {}
    for name in FOLDERS:
        folder = tmp_path / name
        (folder / "logs").mkdir(parents=True)
        tool = folder / "print arguments"
        tool.write_text(
            f'#!/bin/sh\npwd; printf "%s\\n" "$@"; printf %s "$SLURM_CPUS_PER_TASK" >{shlex.quote(str(folder))}/end\n'
        )
        tool.chmod(0o755)
        script = folder / "job.sh"
        comment = f"--comment={name} 'x'"
        script.write_text(
            _script(folder, JobArray("01_double", 1, "double", 0, 5, 1, 2), str(tool), memory="10M", sbatch=[comment])
        )
        numbers[folder] = queue.submit(script)
    deadline = time.monotonic() + 30
    while queue.queued_jobs(queue.user_name()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for folder, number in numbers.items():
        log = log_of(ARRAY, folder / "logs", number, 0).with_name(f"01_double.{number}_0.log")
        assert (folder / "end").read_text() == "1"
        assert log.read_text().splitlines() == [
            str(folder),
            "worker",
            "--plan",
            str(folder / "plans" / "p"),
            *("--step", "1", "--size", "2", "--index", "5"),
        ]
