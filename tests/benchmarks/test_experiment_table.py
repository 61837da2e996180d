"""Rows, trainings and the table of the experiment, in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.experiment.rows import CEILING, GP, ROWS, Job, Row, chosen_rows, jobs_of
from benchmarks.experiment.settings import Experiment, ExperimentError, Folder, differences
from benchmarks.experiment.table import figures_of, rendered, statements, summary

ALL_SEEDS = (0, 1, 2)
FIGURES: dict[str, list[float]] = {
    "truth": [0.5, 0.6, 0.7],
    "none": [0.2, 0.2, 0.2],
    "smallest_box": [0.3, 0.4, 0.5],
    "gp": [0.4, 0.5, 0.6],
    "gp_kl": [0.41, 0.52, 0.63],
    "gp_self_training": [0.5, 0.5, 0.5],
    "gp_kl_self_training": [0.6, 0.5, 0.55],
}


def experiment(**changes: Any) -> Experiment:
    configuration = {"training": {"steps": 800, "later_steps": 300}}
    return Experiment(
        **{
            "configuration": configuration,
            "seeds": ALL_SEEDS,
            "class_names": ("a",),
            "train": ("r0", "r1"),
            "val": ("r2",),
            **changes,
        }
    )


def done(folder: Folder, job: Job, ap: float | None, seconds: float) -> None:
    folder.network(job).parent.mkdir(parents=True, exist_ok=True)
    folder.network(job).touch()
    labels = None if job.row is None else {"ap": 0.8}
    figures = {"ap": ap, "ap50": None if ap is None else ap + 0.2, "ap25": 0.9, "device": "cpu", "labels": labels}
    folder.write_result(job, experiment(), {**figures, "seconds": seconds})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """All rows but one seed of ``gp_self_training``, and all of ``gp_kl_self_training``."""
    found = Folder(tmp_path)
    found.write(experiment())
    for job in jobs_of(ROWS, ALL_SEEDS):
        if job.row is None:
            done(found, job, 0.1, 60.0)
        elif (job.row.key, job.seed) != ("gp_self_training", 1) and job.row.key != "gp_kl_self_training":
            done(found, job, FIGURES[job.row.key][job.seed], 30.0)
    return found


def test_fifteen_first_phases_and_twenty_one_second_ones() -> None:
    jobs = jobs_of(ROWS, ALL_SEEDS)
    assert [job.row is None for job in jobs] == [True] * 15 + [False] * 21
    assert len({job.name for job in jobs}) == 36
    assert {job.first for job in jobs[15:]} == set(jobs[:15])
    shared = {job.row.key for job in jobs if job.first == Job("gp", "none", 2) and job.row is not None}
    assert shared == {"gp", "gp_self_training"}


def test_rows_are_chosen_by_key() -> None:
    assert [row.key for row in chosen_rows(["gp", "truth"])] == ["truth", "gp"]
    assert chosen_rows([]) == list(ROWS)
    with pytest.raises(ValueError, match="there is no row gp_mse; there are truth, none"):
        chosen_rows(["gp_mse"])


def test_means_deviations_and_shares(folder: Folder) -> None:
    rows = {one["row"]: one for one in figures_of(folder)["rows"]}
    assert rows["truth"]["ap"] == {"mean": pytest.approx(0.6), "deviation": pytest.approx(0.1)}
    assert rows["gp"]["share_of_ceiling"] == pytest.approx(0.5 / 0.6)
    assert rows["truth"]["share_of_ceiling"] == pytest.approx(1)
    assert rows["gp"]["minutes"] == pytest.approx(1.5)
    assert rows["none"]["label_ap"] == {"mean": pytest.approx(0.8), "deviation": pytest.approx(0)}


def test_differences_to_gp_are_paired(folder: Folder) -> None:
    rows = {one["row"]: one for one in figures_of(folder)["rows"]}
    assert rows["gp"]["gain_over_gp"] is None
    assert rows["gp_kl"]["gain_over_gp"] == {"mean": pytest.approx(0.02), "deviation": pytest.approx(0.01)}
    # of seeds 0 and 2 alone: +.1 and -.1
    spread = {"mean": pytest.approx(0, abs=1e-9), "deviation": pytest.approx(0.02**0.5)}
    assert rows["gp_self_training"]["gain_over_gp"] == spread


def test_what_is_missing_is_shown_as_missing(folder: Folder) -> None:
    lines = rendered(figures_of(folder)).splitlines()
    row = next(line for line in lines if line.startswith("| GP + KL + self-training |"))
    assert row.startswith("| GP + KL + self-training | missing |")
    assert next(line for line in lines if line.startswith("| GP + self-training |")).endswith("| 2 of 3 |")
    assert next(line for line in lines if line.startswith("| GP + KL |")).startswith(
        "| GP + KL | 0.520 ± 0.110 | 0.720 ± 0.110 | 0.900 ± 0.000 | 86.7 % | +0.020 ± 0.010 | 0.800 ± 0.000 | 1.5 |"
    )


def test_statements(folder: Folder) -> None:
    found = statements(figures_of(folder)["rows"])
    assert found == [
        "AP: contested left out < smallest box < GP: holds (0.200, 0.400, 0.500)",
        "best row from boxes: GP + KL, 86.7 % of the ceiling's AP (goal: 92 %)",
        "ceiling's AP50: 0.800 (goal: 0.75)",
    ]


def test_an_order_that_does_not_hold_is_said_so(folder: Folder) -> None:
    for seed in ALL_SEEDS:
        done(folder, Job("smallest_box", "none", seed, ROWS[2]), 0.55, 1)
    found = statements(figures_of(folder)["rows"])
    assert found[0] == "AP: contested left out < smallest box < GP: does not hold (0.200, 0.550, 0.500)"


def test_an_empty_folder_has_a_table(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(experiment())
    text = rendered(figures_of(folder))
    assert text.count("| missing |") == 7
    assert text.count("not known") == 3


def test_a_single_seed_has_no_deviation_and_no_truth_no_figure() -> None:
    figures = {"ap": 0.5, "ap50": None, "ap25": 0.6, "minutes": 2.0, "labels": {"ap": None}}
    seeds: dict[str, Any] = {row.key: {} for row in ROWS} | {GP: {"0": figures}}
    found = summary(Row(GP, "GP", "gp"), seeds)
    assert found["ap"] == {"mean": 0.5, "deviation": None}
    assert (found["ap50"], found["label_ap"], found["share_of_ceiling"]) == (None, None, None)
    assert summary(Row(CEILING, "full masks", "truth"), seeds)["ap"] is None


def test_results_of_other_settings_do_not_count(folder: Folder) -> None:
    job = Job("gp", "none", 0)
    assert folder.result(job, experiment()) is not None
    assert folder.result(job, experiment(val=("r3",))) is None
    assert folder.result(job, experiment(seeds=(0,))) is not None
    folder.network(job).unlink()
    assert folder.result(job, experiment()) is None


def test_settings_come_back(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(ExperimentError, match="holds no experiment: make one by"):
        folder.read()
    folder.write(experiment())
    assert folder.read() == experiment()
    (tmp_path / "experiment.json").write_text("{}")
    with pytest.raises(ExperimentError, match="cannot be used"):
        folder.read()


def test_differences_name_the_key() -> None:
    before = {"seed": 0, "training": {"steps": 800, "options": {}}}
    now = {"seed": 0, "training": {"steps": 900, "options": {"width": 32}}}
    assert list(differences(before, now)) == [
        "training.options.width is null there, 32 now",
        "training.steps is 800 there, 900 now",
    ]
