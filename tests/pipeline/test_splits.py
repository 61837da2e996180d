"""Scenes that splits name and that do not exist are told before anything is computed."""

from __future__ import annotations

import pytest
from test_rounds import config
from toy_rounds import ROUND_STAGES, TrainConfig
from toy_stages import Toy

from pipeline.errors import ConfigurationError
from pipeline.plan import make_plan
from pipeline.splits import check_splits


def checked(toy: Toy, *, trains: bool = True, **splits: tuple[str, ...]) -> list[str]:
    given = {"train": (), "val": (), "test": ()} | splits
    found = config(toy, 1, given, train=TrainConfig() if trains else TrainConfig(network=None))
    return check_splits(make_plan(found, ROUND_STAGES, toy.output))


def test_scenes_that_exist_are_fine(toy: Toy) -> None:
    assert checked(toy) == checked(toy, train=("a", "b"), val=("c",)) == []


def test_some_that_do_not_exist_are_noted(toy: Toy) -> None:
    assert checked(toy, val=("c", "nowhere")) == [
        "1 of the 2 scenes of splits.val do not exist: nowhere. The others are used"
    ]
    assert "did you mean b?" in checked(toy, train=("a", "bb"))[0]
    many = tuple(f"scene{k}" for k in range(9))
    assert "scene3, scene4 and 4 more. The others" in checked(toy, val=("c", *many))[0]


def test_a_split_without_any_scene_is_refused(toy: Toy) -> None:
    words = r"no scene of splits\.val exists: x, y\. There are: a, b, c\. Change splits\.val, or set it to \[\]"
    with pytest.raises(ConfigurationError, match=words):
        checked(toy, val=("x", "y"))


def test_a_scene_in_two_splits_is_refused(toy: Toy) -> None:
    with pytest.raises(ConfigurationError, match=r"splits\.train and splits\.test share b: a scene may be in one"):
        checked(toy, train=("a", "b"), test=("b", "c"))


def test_splits_that_no_stage_reads_do_not_matter(toy: Toy) -> None:
    assert checked(toy, trains=False, val=("x",)) == []
