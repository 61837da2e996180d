"""`boxgp export` as people use it: again, with other splits, killed, with a broken scene, with wrong words."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.export.formats import FORMATS
from tests.end_to_end.command import PATIENCE_SECONDS, boxgp, completed, start

SPLIT = "train: [room_0000, room_0001]\nval: [room_0002]\n"
OTHER_SPLIT = "train: [room_0000]\nval: [room_0001, room_0002]\n"
SOFTGROUP = ("--format", "softgroup", "--to", "out", "--split", "split.yaml")
ROOM_FORMATS = (
    "zarr",
    "ply",
    "softgroup",
    "gapro-isbnet",
    "gapro-spformer",
    "spformer",
    "mask3d",
    "pointcept",
    "mmdet3d",
)
"""those that a run of the built-in rooms has everything for"""


@pytest.fixture
def split(tmp_path: Path) -> Path:
    file = tmp_path / "split.yaml"
    file.write_text(SPLIT)
    return file


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file of an export, without its books."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".boxgp" not in path.relative_to(folder).parts
    }


def torch_file(path: Path) -> tuple[np.ndarray, ...]:
    loaded: tuple[np.ndarray, ...] = torch.load(path, weights_only=False)  # what trainers do
    return loaded


def test_each_scene_lies_in_its_split_with_an_index_of_all(undisturbed: Path, split: Path) -> None:
    ended = completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert ended.counts("softgroup") == (3, 0, 0, 0)
    folder = split.parent / "out" / "softgroup"
    assert sorted(path.name for path in (folder / "train").iterdir()) == [
        "room_0000_inst_nostuff.pth",
        "room_0001_inst_nostuff.pth",
    ]
    assert [path.name for path in (folder / "val").iterdir()] == ["room_0002_inst_nostuff.pth"]
    index = json.loads((folder / "boxgp.json").read_text())
    assert index["format"] == "softgroup"
    assert index["scenes"]["room_0002"]["split"] == "val"
    assert index["scenes"]["room_0002"]["coords"] == "input, minus mean"
    assert index["classes"]["2"] == "cabinet"


def test_a_second_export_keeps_what_is_there(undisturbed: Path, split: Path) -> None:
    completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    before = {path: path.stat().st_mtime_ns for path in (split.parent / "out" / "softgroup").rglob("*")}
    ended = completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert ended.counts("softgroup") == (0, 3, 0, 0)
    assert "everything is there already" in ended.out
    assert {path: path.stat().st_mtime_ns for path in (split.parent / "out" / "softgroup").rglob("*")} == before


def test_files_that_are_lost_or_cut_short_are_written_again(undisturbed: Path, split: Path) -> None:
    completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    folder = split.parent / "out"
    whole = tree(folder)
    (folder / "softgroup" / "superpoints" / "room_0000.pth").unlink()
    cut = folder / "softgroup" / "val" / "room_0002_inst_nostuff.pth"
    cut.write_bytes(cut.read_bytes()[:100])
    ended = completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert ended.counts("softgroup") == (2, 1, 0, 0)
    assert tree(folder) == whole


def test_a_scene_that_changes_its_split_leaves_no_file_in_the_old_one(undisturbed: Path, split: Path) -> None:
    completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    split.write_text(OTHER_SPLIT)
    ended = completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert ended.counts("softgroup") == (1, 2, 0, 0)
    folder = split.parent / "out" / "softgroup"
    assert [path.name for path in (folder / "train").iterdir()] == ["room_0000_inst_nostuff.pth"]
    assert len([*(folder / "val").iterdir()]) == 2


def test_any_number_of_workers_writes_the_same_bytes(undisturbed: Path, split: Path) -> None:
    completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    others = ("--format", "softgroup", "--to", "other", "--split", "split.yaml", "--workers", "2")
    completed("export", undisturbed, *others, cwd=split.parent)
    assert tree(split.parent / "out") == tree(split.parent / "other")


def test_one_broken_scene_stops_no_other(undisturbed: Path, split: Path) -> None:
    run = split.parent / "run"
    shutil.copytree(undisturbed, run)
    data = run / "scenes" / "room_0001" / "data.zarr.zip"
    data.write_bytes(b"\0" * data.stat().st_size)
    ended = boxgp("export", "run", *SOFTGROUP, cwd=split.parent)
    assert ended.code == 1
    assert ended.counts("softgroup") == (2, 0, 1, 0)
    assert "room_0001" in ended.out
    assert not [path for path in (split.parent / "out" / "softgroup").rglob("room_0001*") if path.is_file()]


def test_labels_of_an_older_scene_are_refused(undisturbed: Path, split: Path) -> None:
    run = split.parent / "run"
    shutil.copytree(undisturbed, run)
    manifest = run / "scenes" / "room_0001" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"fingerprint": "', '"fingerprint": "0', 1))
    ended = boxgp("export", "run", *SOFTGROUP, cwd=split.parent)
    assert ended.code == 1
    assert "room_0001" in ended.out
    assert "labels were made before scenes was computed anew" in ended.out


def test_what_is_refused_now_is_gone_from_the_folder_and_its_index(undisturbed: Path, split: Path) -> None:
    run = split.parent / "run"
    shutil.copytree(undisturbed, run)
    completed("export", "run", *SOFTGROUP, cwd=split.parent)
    for result in ("scenes/room_0001", "round_00/pseudo_labels/room_0001"):  # other labels, of a scene that is broken
        manifest = run / result / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"fingerprint": "', '"fingerprint": "0', 1))
    ended = boxgp("export", "run", *SOFTGROUP, cwd=split.parent)
    assert ended.code == 1
    folder = split.parent / "out" / "softgroup"
    assert [*json.loads((folder / "boxgp.json").read_text())["scenes"]] == ["room_0000", "room_0002"]
    assert not [path for path in folder.rglob("room_0001*") if path.is_file()]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("nowhere", *SOFTGROUP), "nowhere is no folder of a run: it does not exist"),
        (("RUN", "--format", "softgrup", "--to", "out"), "did you mean softgroup?"),
        (("RUN", "--format", "softgroup", "--to", "out"), "give --split FILE"),
        (("RUN", *SOFTGROUP, "--scenes", "room_0009"), "no labels of scene 'room_0009'"),
        (("RUN", *SOFTGROUP, "--round", "3"), "no labels of round 3; there are those of round 0"),
        (
            ("RUN", "--format", "zarr", "--to", "out", "--split", "nowhere.yaml"),
            "nowhere.yaml, the splits, cannot be read",
        ),
    ],
)
def test_what_cannot_start_ends_with_2_and_says_why(
    line: tuple[str, ...], said: str, undisturbed: Path, split: Path
) -> None:
    ended = boxgp("export", *(undisturbed if word == "RUN" else word for word in line), cwd=split.parent)
    assert ended.code == 2
    assert said in ended.err
    assert not (split.parent / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[room_0000]", "write lists of scene ids"),
        ("training: [room_0000]", "write lists of scene ids"),
        ("train: room_0000", "train is no list"),
        ("train: [room_0000]\nval: [room_0000]", "room_0000 would be in several splits"),
        ("train: ['../up']", "is no scene id"),
        ("train: [", "cannot be read"),
    ],
)
def test_split_files_that_cannot_be_meant(text: str, said: str, undisturbed: Path, split: Path) -> None:
    split.write_text(text)
    ended = boxgp("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert ended.code == 2
    assert said in ended.err


def test_scenes_in_no_split_are_left_out_and_named(undisturbed: Path, split: Path) -> None:
    split.write_text("train: [room_0000]\ntest: [room_0002, room_0007]\n")
    ended = completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert "1 scene in no split left out, of all formats: room_0001" in ended.err
    assert "1 scene without labels here: room_0007" in ended.err
    assert ended.counts("softgroup") == (2, 0, 0, 0)
    assert len(torch_file(split.parent / "out" / "softgroup" / "test" / "room_0002_inst_nostuff.pth")) == 2


def test_what_no_split_names_is_for_training_where_train_is_not_given(undisturbed: Path, split: Path) -> None:
    split.write_text("val: [room_0001]\n")
    ended = completed("export", undisturbed, *SOFTGROUP, cwd=split.parent)
    assert "val holds labels made from boxes too" in ended.out
    assert [path.name[:9] for path in sorted((split.parent / "out" / "softgroup" / "train").iterdir())] == [
        "room_0000",
        "room_0002",
    ]


def test_formats_without_splits_want_none(undisturbed: Path, tmp_path: Path) -> None:
    completed("export", undisturbed, "--format", "gapro-isbnet", "--to", "out", cwd=tmp_path)
    index = json.loads((tmp_path / "out" / "gapro-isbnet" / "boxgp.json").read_text())
    assert {one["split"] for one in index["scenes"].values()} == {""}


def every_format() -> tuple[str, ...]:
    words = [word for name in ROOM_FORMATS for word in ("--format", name)]
    return (*words, "--to", "out", "--split", "split.yaml")


def test_all_formats_are_known_by_the_tests() -> None:
    apart = {"sstnet", "scannet-benchmark"} | {name for name in FORMATS if name.endswith("-s3dis")}
    assert {*ROOM_FORMATS} | apart == FORMATS.keys()


def test_the_readme_has_a_row_for_every_format() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text()
    assert set(re.findall(r"--format ([a-z0-9-]+)", text)) == FORMATS.keys()


@pytest.mark.slow
def test_an_export_killed_at_any_moment_is_completed_to_the_same_bytes(undisturbed: Path, split: Path) -> None:
    folder = split.parent
    begin = time.monotonic()
    completed("export", undisturbed, *every_format(), cwd=folder)
    seconds = time.monotonic() - begin
    whole = tree(folder / "out")
    generator = np.random.default_rng(5)
    torn = 0
    for _ in range(5):
        shutil.rmtree(folder / "out")
        process = start("export", str(undisturbed), *every_format(), cwd=folder)
        time.sleep(generator.uniform(0.2, 0.9) * seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_SECONDS)
        torn += 0 < len(tree(folder / "out") if (folder / "out").exists() else {}) < len(whole)
        completed("export", undisturbed, *every_format(), cwd=folder)
        assert tree(folder / "out") == whole
        assert not any((folder / "out").rglob(".*@*"))
    assert torn  # at least one was killed in the middle
