"""Canonical JSON, fingerprints and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.fingerprint import SceneFingerprints, canonical_json, digest, scene_seed, task_fingerprint

FACTS: dict[str, Any] = {"config": {"a": 1}, "seed": 3, "inputs": {"x": "f"}, "files": [("s.npz", "00")]}


def test_golden() -> None:
    assert canonical_json({"b": (1, 2.5), "a": None}) == '{"a":null,"b":[1,2.5]}'
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert scene_seed(0, "features", "a") == 1064432453239009350


@pytest.mark.parametrize(
    ("one", "other"),
    [({"a": 1, "b": 2}, {"b": 2, "a": 1}), ((1, (2,)), [1, [2]]), (Path("/x/y"), "/x/y"), ({}, {})],
)
def test_equal_values_have_one_form(one: object, other: object) -> None:
    assert canonical_json(one) == canonical_json(other)


def test_special_values_are_told_apart() -> None:
    values: list[object] = [
        float("nan"),
        float("inf"),
        float("-inf"),
        None,
        "nan",
        "NaN",
        "inf",
        0,
        0.5,
        False,
        True,
        1,
        "1",
        [],
        {},
        "",
    ]
    assert len({canonical_json([value]) for value in values}) == len(values)
    assert canonical_json(float("nan")) == canonical_json(float("nan"))


@pytest.mark.parametrize("value", [{1: "a"}, {"a": {2}}, object(), b"x"])
def test_values_that_are_not_plain_are_refused(value: object) -> None:
    with pytest.raises(TypeError, match="cannot enter a fingerprint"):
        canonical_json(value)


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"a": 2}},
        {"seed": 4},
        {"inputs": {"x": "g"}},
        {"inputs": {"y": "f"}},
        {"files": [("s.npz", "01")]},
        {"files": [("t.npz", "00")]},
        {"files": []},
    ],
)
def test_every_fact_changes_the_fingerprint(change: dict[str, Any]) -> None:
    before = task_fingerprint("features", 1, **FACTS)
    assert task_fingerprint("features", 1, **{**FACTS, **change}) != before
    assert task_fingerprint("features", 2, **FACTS) != before
    assert task_fingerprint("posteriors", 1, **FACTS) != before
    assert task_fingerprint("features", 1, **FACTS) == before


def test_seeds_depend_on_run_stage_and_scene_alone() -> None:
    seeds = [scene_seed(run, stage, scene) for run in (0, 1) for stage in "xy" for scene in ("a", "b", "ab")]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("inputs", [(), ("scenes",), ("superpoints", "features", "\u00e4")])
@pytest.mark.parametrize("files", [(), (("a \u00e4.npz", "0" * 64), ('"', "1"))])
def test_many_scenes_at_once_get_the_same_fingerprints(
    inputs: tuple[str, ...], files: tuple[tuple[str, str], ...]
) -> None:
    config: dict[str, Any] = {"z": [float("inf"), None], "a": {"text": '"\u00e4'}}
    many = SceneFingerprints("stage", 3, config=config, run_seed=7, inputs=inputs)
    for scene in ("room_0001", "A.b-c"):
        given = [f"{scene} {name}" for name in range(len(inputs))]
        assert many.of(scene, given, files) == task_fingerprint(
            "stage",
            3,
            config=config,
            seed=scene_seed(7, "stage", scene),
            inputs=dict(zip(inputs, given, strict=True)),
            files=files,
        )
