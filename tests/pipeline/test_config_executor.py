"""The section `executor`: where it comes from, and that no result depends on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_configs import STAGES, refusal, write

from pipeline.config import RunConfig, load_config
from pipeline.errors import ConfigurationError
from pipeline.executors.config import DaskExecutor, LocalExecutor, SlurmExecutor


@pytest.fixture(autouse=True)
def _executors(config_folder: Path) -> None:
    """Two built-in executors, and `mine` as configuration."""
    folder = config_folder.parent / "builtins" / "executors"
    folder.mkdir()
    (folder / "slurm.yaml").write_text("executor: {kind: slurm, time: '02:00:00'}\n")
    (folder / "dask.yaml").write_text("executor: {kind: dask}\n")
    write("base: demo\nexecutor: {kind: slurm, partition: gpu, time: '1'}\n")


def load(*overrides: str, executor: str | None = None, name: str = "mine.yaml") -> RunConfig:
    return load_config(name, overrides, STAGES, executor)


def test_without_one_everything_is_local() -> None:
    assert load(name="demo").executor == LocalExecutor()
    assert load("executor.workers=2", name="demo").executor == LocalExecutor(workers=2)


def test_it_is_laid_over_the_configuration_and_below_overrides() -> None:
    assert load().executor == SlurmExecutor(partition="gpu", time="1")
    assert load(executor="slurm").executor == SlurmExecutor(partition="gpu", time="02:00:00")
    assert load("executor.time=3:00", executor="slurm").executor == SlurmExecutor(partition="gpu", time="3:00")


def test_another_kind_drops_what_it_does_not_know() -> None:
    assert load(executor="dask").executor == DaskExecutor()


def test_a_file_of_ones_own_with_a_base() -> None:
    write("base: slurm\nexecutor: {account: lab}\n", "cluster.yaml")
    assert load(executor="cluster.yaml", name="demo").executor == SlurmExecutor(account="lab", time="02:00:00")


def test_nothing_of_it_enters_what_decides_results() -> None:
    assert load().resolved() == load(name="demo").resolved()
    assert "executor" not in load().resolved()


def test_a_file_with_other_keys_is_refused() -> None:
    write("seed: 1\n", "cluster.yaml")
    with pytest.raises(ConfigurationError, match=r"cluster.yaml:1: seed: the file of an executor holds"):
        load(executor="cluster.yaml")


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no built-in executor 'slrum'; did you mean slurm\? Built-in: dask, slurm"
    ):
        load(executor="slrum")


def test_wrong_options_are_refused() -> None:
    assert "unknown key executor.workers for kind slurm (it belongs to kind local, dask)" in refusal(
        "mine.yaml", "executor.workers=3"
    )
    assert "executor.partition: a line break" in refusal("mine.yaml", 'executor.partition="a\\nb"')
