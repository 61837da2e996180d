"""Which scenes may be published, and what is said of the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.results import RunResults
from stages import PIPELINE
from stages.release.standing import Standing, standing
from tests.stages.release.conftest import SCENES

ROOM, OTHER = SCENES


def look(run: Path) -> Standing:
    config = yaml.safe_load((run / "config.yaml").read_text())
    return standing(RunResults(run, 0), config, [stage for _, stage in _stages()])


def _stages() -> list[tuple[str, Any]]:
    from importlib import import_module

    found = []
    for path in PIPELINE:
        module, _, name = path.partition(":")
        found.append((path, getattr(import_module(module), name)))
    return found


def change(run: Path, **values: Any) -> None:
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for key, value in values.items():
        section, _, name = key.partition("__")
        if name:
            config[section][name] = value
        else:
            config[section] = value
    path.write_text(yaml.safe_dump(config))


def edit_manifest(folder: Path, **values: Any) -> None:
    """Changes what stands in a manifest, in the form in which the store writes it."""
    manifest = json.loads((folder / "manifest.json").read_text()) | values
    head = {name: manifest.pop(name) for name in ("fingerprint", "contents")}
    text = json.dumps(head).removesuffix("}") + ",\n" + json.dumps(manifest, indent=2).removeprefix("{\n")
    (folder / "manifest.json").write_text(text + "\n")


def test_a_finished_run_is_ready_with_all_that_its_labels_rest_on(run: Path) -> None:
    found = look(run)
    assert list(found.ready) == list(SCENES)
    assert not found.left_out
    assert set(found.ready[ROOM].manifests) == {"scenes", "superpoints", "features", "posteriors", "pseudo_labels"}


@pytest.mark.parametrize("stage", ["scenes", "superpoints", "round_00/features", "round_00/posteriors"])
def test_labels_without_what_they_were_made_from_are_stale(run: Path, stage: str) -> None:
    shutil.rmtree(run / stage / ROOM)
    found = look(run)
    assert list(found.ready) == [OTHER]
    assert "computed anew" in found.left_out[ROOM]


def test_labels_made_before_their_input_was_computed_anew_are_stale(run: Path) -> None:
    edit_manifest(run / "superpoints" / ROOM, fingerprint="0" * 64)
    assert "before superpoints was computed anew" in look(run).left_out[ROOM]


@pytest.mark.parametrize("missing", ["folder", "data"])
def test_scenes_without_labels_are_unfinished(run: Path, missing: str) -> None:
    folder = run / "round_00" / "pseudo_labels" / ROOM
    shutil.rmtree(folder) if missing == "folder" else (folder / "data.zarr.zip").write_bytes(b"torn")
    assert "has no labels" in look(run).left_out[ROOM]


def test_a_scene_that_was_planned_and_never_read_is_unfinished(run: Path) -> None:
    for stage in ("scenes", "superpoints", "round_00/features", "round_00/posteriors", "round_00/pseudo_labels"):
        shutil.rmtree(run / stage / ROOM)
    assert list(look(run).left_out) == [ROOM]


@pytest.mark.parametrize(
    ("key", "value"), [("pseudo_labels__fusion", "most_confident"), ("posteriors__margin", 0.1), ("seed", 7)]
)
def test_other_options_than_the_run_has_by_now_are_stale(run: Path, key: str, value: Any) -> None:
    change(run, **{key: value})
    found = look(run)
    assert not found.ready
    assert all("other options" in why for why in found.left_out.values())


def test_options_that_decide_nothing_do_not_count(run: Path) -> None:
    change(run, scenes__count=50, posteriors__network_weight=0.9, training__steps=3)
    assert list(look(run).ready) == list(SCENES)


def test_labels_of_an_earlier_version_may_be_published(run: Path) -> None:
    for scene in SCENES:
        edit_manifest(run / "round_00" / "pseudo_labels" / scene, version=0)
    assert list(look(run).ready) == list(SCENES)


def test_labels_that_do_not_heed_the_corrections_are_stale(run: Path) -> None:
    (run / "corrections").mkdir()
    (run / "corrections" / f"{ROOM}.json").write_text("{}")
    found = look(run)
    assert list(found.ready) == [OTHER]
    assert "other corrections" in found.left_out[ROOM]
