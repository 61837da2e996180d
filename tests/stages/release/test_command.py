"""Releases as a whole: the same bytes again, nothing private, nothing half, nobody else's files."""

from __future__ import annotations

import getpass
import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli import main
from stages.release.folder import read_sums
from tests.stages.release.conftest import SCENES
from tests.stages.release.contents import every_byte, tree
from tests.stages.release.test_standing import edit_manifest

ROOM, OTHER = SCENES
USER, HOST, CLUSTER, HOME, COLLEAGUE = "zaphodbeeb", "slartibart.magrathea.example", "gpunode4217", "trillian", "fordp"


def release(run: Path, to: Path, *options: str) -> int:
    return main(["release", str(run), "--to", str(to), *options])


def test_the_same_release_in_two_folders_is_the_same_to_the_byte(run: Path, tmp_path: Path) -> None:
    for to in ("one", "two"):
        assert release(run, tmp_path / to) == 0
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert not list((tmp_path / "one").rglob(".*"))


def test_released_again_nothing_changes(run: Path, released: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(released)
    (released / ".boxgp").mkdir()  # as a command leaves it that was killed at the very end
    assert release(run, released, "--license", "cc-by-4.0") == 0
    assert "this release is there already" in capsys.readouterr().out
    assert tree(released) == before
    assert not (released / ".boxgp").exists()


def test_a_finished_release_of_something_else_is_left_alone(
    run: Path, released: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(released)
    assert release(run, released, "--license", "mit") == 2
    assert "another release" in capsys.readouterr().err
    assert tree(released) == before


def test_folders_of_others_are_left_alone(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").touch()
    assert release(run, tmp_path) == 2
    assert release(run, run) == 2
    assert "holds other files" in capsys.readouterr().err
    assert not (tmp_path / ".boxgp").exists()


def test_stale_and_unfinished_scenes_are_left_out_and_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(run / "round_00" / "pseudo_labels" / ROOM)
    to = tmp_path / "to"
    assert release(run, to) == 1
    assert f"{ROOM} has no labels" in capsys.readouterr().err
    assert [path.name for path in (to / "labels").iterdir()] == [f"{OTHER}.zarr.zip"]
    assert json.loads((to / "recipe.json").read_text())["scenes_left_out"] == [ROOM]
    assert "1 scene of the run left out" in (to / "README.md").read_text()
    assert main(["release", "--verify", str(to)]) == 0
    assert release(run, to) == 1  # still the same release, and still not the whole run


def test_nothing_to_release(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(config | {"seed": 5}))
    assert release(run, tmp_path / "to") == 2
    assert "no labels that can be published" in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


def test_labels_that_cannot_be_read_leave_the_release_unfinished(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = run / "round_00" / "pseudo_labels" / ROOM / "data.zarr.zip"
    content = store.read_bytes()
    store.write_bytes(content[:3000] + bytes(100) + content[3100:])
    to = tmp_path / "to"
    assert release(run, to) == 1
    said = capsys.readouterr().out
    assert f"{ROOM}: " in said
    assert "not finished" in said
    assert not (to / "SHA256SUMS").exists()
    assert main(["release", "--verify", str(to)]) == 1
    store.write_bytes(content)
    assert release(run, to) == 0
    assert release(run, tmp_path / "whole") == 0
    assert tree(to) == tree(tmp_path / "whole")


def test_a_run_that_changes_before_the_release_is_finished(run: Path, tmp_path: Path) -> None:
    store = run / "round_00" / "pseudo_labels" / ROOM / "data.zarr.zip"
    store.write_bytes(store.read_bytes()[:3000] + bytes(store.stat().st_size - 3000))
    to = tmp_path / "to"
    assert release(run, to) == 1
    assert (to / "labels" / f"{OTHER}.zarr.zip").exists()
    shutil.rmtree(run / "round_00" / "pseudo_labels" / OTHER)
    shutil.rmtree(run / "round_00" / "pseudo_labels" / ROOM)
    assert main(["run", "demo", "--set=scenes.count=1", "--set=scenes.points=1500", "--output", str(run)]) == 0
    release(run, to)
    assert [path.name for path in (to / "labels").iterdir()] == [f"{ROOM}.zarr.zip"]


def plant(run: Path) -> None:
    """Names of people and machines wherever a run keeps words."""
    path = run / "config.yaml"
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    config["superpoints"]["path"] = f"/home/{HOME}/partitions"
    config["training"] |= {"network": f"/home/{HOME}/nets/net.py:Net", "options": {"note": f"for {USER}", COLLEAGUE: 1}}
    config["inference"]["device"] = f"{CLUSTER}:0"
    path.write_text(yaml.safe_dump(config))
    for stage in ("scenes", "superpoints", "round_00/posteriors", "round_00/pseudo_labels"):
        for scene in SCENES:
            folder = run / stage / scene
            warnings = [f"/home/{HOME}/scans/{scene}.npz: no normals", f"written by {USER} on {HOST}"]
            edit_manifest(folder, host=CLUSTER, warnings=warnings)
    for scene in SCENES:
        edit_manifest(run / "scenes" / scene, files=[[f"{HOME}_{scene}.npz", "0" * 64]])


@pytest.mark.parametrize("options", [(), ("--license-allows",)])
def test_no_path_user_or_host_is_told(
    options: tuple[str, ...], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(run)
    mine = Path(shutil.move(run, tmp_path / f"run_of_{USER}"))
    monkeypatch.setattr(getpass, "getuser", lambda: USER)
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setenv("HOME", f"/net/{COLLEAGUE}")
    to = tmp_path / "to"
    assert release(mine, to, *options) == 0
    private = [one.encode() for one in (USER, HOST, HOST.partition(".")[0], CLUSTER, HOME, COLLEAGUE, str(tmp_path))]
    told = [(name, one) for name, content in every_byte(to) for one in private if one.lower() in content.lower()]
    assert not told
    recipe = json.loads((to / "recipe.json").read_text())
    assert sorted(recipe["options_left_out"]) == [
        "inference.device",
        "superpoints.path",
        "training.network",
        "training.options.(a name)",
        "training.options.note",
    ]
    assert recipe["raw_files"][ROOM] == {f"x_{ROOM}.npz": "0" * 64}


def test_the_recipe_says_what_computed_the_labels(released: Path, run: Path) -> None:
    recipe = json.loads((released / "recipe.json").read_text())
    assert recipe["format"] == "boxgp.release"
    assert recipe["configuration"] == yaml.safe_load((run / "config.yaml").read_text())
    (software,) = recipe["software"]
    assert software["versions"]["zarr"]
    assert all(number == len(SCENES) for number in software["results"].values())
    assert yaml.safe_load((released / "recipe.yaml").read_text()) == recipe["configuration"]


@pytest.mark.slow
def test_the_recipe_makes_the_same_labels_again(released: Path, run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert main(["run", str(released / "recipe.yaml"), "--stage", "..pseudo_labels", "--output", str(again)]) == 0
    for scene in SCENES:
        ours, theirs = (one / "round_00" / "pseudo_labels" / scene / "data.zarr.zip" for one in (run, again))
        assert ours.read_bytes() == theirs.read_bytes()


def test_the_table_of_scenes(released: Path) -> None:
    header, *rows = [line.split(",") for line in (released / "scenes.csv").read_text().splitlines()]
    assert header[:3] == ["scene", "split", "file"]
    assert [row[:2] for row in rows] == [[ROOM, ""], [OTHER, "train"]]
    sums = read_sums(released)
    assert all(row[header.index("sha256")] == sums[row[header.index("file")]] for row in rows)
