"""Submissions, read by the rules of ScanNet's evaluation; what it would refuse is found before."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from pipeline.errors import InputError, SceneError
from pipeline.results import RunResults
from pipeline.stage import Array, Result, SceneJob
from pipeline.store import commit, read_arrays
from stages.export.base import ExportConfig, SceneFacts
from stages.export.formats.scannet_benchmark import TEST_SCANS, ScannetBenchmark, submission_files
from stages.inference.records import Predictions, to_arrays
from stages.scenes.classes import SCANNET18
from tests.end_to_end.command import boxgp, completed
from tests.stages.evaluation.labelled import row_of_cubes
from tests.stages.export.formats import recovered
from tests.stages.inference.stored import store, store_scene

SCENE, SUPERPOINT = row_of_cubes()
CLASSES = tuple(SCANNET18)
REGIONS = 8
POINTS = len(SUPERPOINT)


def predictions(seed: int = 0, proposals: int = 5, regions: int = REGIONS) -> Predictions:
    """Proposals that overlap, the surest first, the last one hardly sure at all."""
    generator = np.random.default_rng(seed)
    probability = generator.random((proposals, regions)).astype(np.float32)
    probability[:, 0] = 0.9
    score = np.sort(generator.random(proposals).astype(np.float32))[::-1].copy()
    score[proposals - 1 :] = 1.2e-7
    return Predictions(
        mask=probability > 0.5,
        class_index=generator.integers(0, len(CLASSES), proposals).astype(np.int32),
        score=score,
        probability=probability,
        mean=probability / 2,
        variance=probability / 10,
        region_feature=np.zeros((regions, 2), np.float32),
    )


def stored(folder: Path, found: Predictions, class_names: tuple[str, ...] = CLASSES) -> SceneJob:
    """Predictions as a run has them on disk."""
    inputs = store_scene(folder / "run", SCENE, SUPERPOINT)
    arrays = {name: Array(values, dimensions) for name, (values, dimensions) in to_arrays(found).items()}
    result = Result(arrays, {"scene": SCENE.scene, "class_names": list(class_names)})
    inference = store(folder / "run" / "round_00" / "inference" / SCENE.scene, result)
    return SceneJob(SCENE.scene, {"superpoints": inputs["superpoints"], "inference": inference})


def exported(job: SceneJob, folder: Path) -> SceneFacts:
    """Writes a submission; returns what the index knows of it."""
    result = ScannetBenchmark(ExportConfig(to=folder)).run_scene(job)
    attributes = json.loads(json.dumps(dict(result.attributes)))
    assert set(attributes["files"]) == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }
    return SceneFacts(job.scene, job.split, attributes["facts"])


def as_evaluated(folder: Path, scene: str, points: int) -> list[tuple[np.ndarray, int, float]]:
    """(mask, class id, confidence) of each line, as ScanNet's evaluation parses it."""
    found = []
    for line in (folder / f"{scene}.txt").read_text().splitlines():
        path, label, confidence = line.split(" ")
        assert not path.startswith("/")
        file = folder / path
        assert folder in file.resolve().parents
        mask = np.array(file.read_text().splitlines(), np.int64)
        assert mask.shape == (points,)
        found.append((mask != 0, int(float(label)), float(confidence)))
    return found


@pytest.fixture
def submission(tmp_path: Path) -> tuple[Path, SceneFacts]:
    folder = tmp_path / "out"
    return folder, exported(stored(tmp_path, predictions()), folder)


def test_the_evaluation_finds_our_predictions(tmp_path: Path) -> None:
    found = predictions()
    folder = tmp_path / "out"
    facts = exported(stored(tmp_path, found), folder)
    lines = as_evaluated(folder, SCENE.scene, POINTS)
    assert len(lines) == len(found)
    for number, (mask, label, confidence) in enumerate(lines):
        np.testing.assert_array_equal(mask, found.mask[number][SUPERPOINT])
        assert label == SCANNET18[CLASSES[found.class_index[number]]]
        assert np.float32(confidence) == found.score[number]
    assert (facts.facts["points"], facts.facts["objects"]) == (POINTS, 5)
    assert ScannetBenchmark.problems(folder, [facts]) == []


def test_no_confidence_is_written_with_an_exponent(submission: tuple[Path, SceneFacts]) -> None:
    assert "e" not in "".join(line.split()[2] for line in (submission[0] / "row.txt").read_text().splitlines())


def test_points_without_a_region_are_in_no_mask() -> None:
    superpoint = SUPERPOINT.copy()
    superpoint[:10] = -1
    found = predictions()
    files = submission_files("scan", found, superpoint, CLASSES).files
    for number in range(5):
        mask = np.array(files[f"predicted_masks/scan_{number:03}.txt"].split(), int)
        assert len(mask) == POINTS
        assert not mask[:10].any()
        np.testing.assert_array_equal(mask[10:], found.mask[number][superpoint[10:]])


def test_uncertainty_goes_beside() -> None:
    found = predictions()
    arrays = recovered.arrays(submission_files("scan", found, SUPERPOINT, CLASSES).files["uncertainty/scan.npz"])
    np.testing.assert_array_equal(arrays["superpoint"], SUPERPOINT)
    np.testing.assert_array_equal(arrays["mean"], found.mean)
    np.testing.assert_array_equal(arrays["variance"], found.variance)


def test_equal_predictions_give_equal_bytes() -> None:
    first, again = (submission_files("scan", predictions(3), SUPERPOINT, CLASSES) for _ in range(2))
    assert first == again


def test_a_scene_in_which_nothing_was_found_has_an_empty_file() -> None:
    written = submission_files("scan", predictions(proposals=0), SUPERPOINT, CLASSES)
    assert written.files["scan.txt"] == b""
    assert "scene scan: the network found nothing" in written.warnings[0]


def test_other_classes_are_refused(tmp_path: Path) -> None:
    job = stored(tmp_path, predictions(), ("own_a", *CLASSES[1:]))
    with pytest.raises(SceneError, match=r"scene row: .* not ScanNet's 18 \(own_a\).*scenes.classes: scannet18"):
        exported(job, tmp_path / "out")


def test_predictions_on_other_superpoints_are_refused(tmp_path: Path) -> None:
    job = stored(tmp_path, predictions())
    folder = job.inputs["inference"]
    arrays, attributes = read_arrays(folder)
    result = Result({name: Array(one, ("x",) * one.ndim) for name, one in arrays.items()}, attributes)
    commit(folder, result, {"fingerprint": "later", "inputs": {"superpoints": "another"}})
    with pytest.raises(SceneError, match="scene row: its predictions were made before superpoints"):
        exported(job, tmp_path / "out")


def test_a_run_without_a_network_is_refused(tmp_path: Path) -> None:
    stored(tmp_path, predictions())
    ScannetBenchmark.check_run(RunResults(tmp_path / "run", 0))
    with pytest.raises(InputError, match=r"no predictions in round 1.*training\.network"):
        ScannetBenchmark.check_run(RunResults(tmp_path / "run", 1))


def _rewrite(folder: Path, old: str, new: str) -> None:
    file = folder / "row.txt"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def _end_first_line(folder: Path, end: str) -> None:
    """Another confidence, with the blank before it."""
    first = (folder / "row.txt").read_text().splitlines()[0]
    _rewrite(folder, first, first.rsplit(" ", 1)[0] + end)


def _mask(folder: Path, change: Callable[[bytes], bytes]) -> None:
    file = folder / "predicted_masks" / "row_001.txt"
    file.write_bytes(change(file.read_bytes()))


SPOILT: dict[str, tuple[Callable[[Path], Any], str]] = {
    "absolute path": (lambda at: _rewrite(at, "predicted_masks/row_001", "/tmp/row_001"), "line 2.*relative path"),
    "path upwards": (lambda at: _rewrite(at, "predicted_masks/row_001", "../x/row_001"), "line 2.*relative path"),
    "mask at the top": (lambda at: _rewrite(at, "predicted_masks/row_001", "row_001"), "line 2.*relative path"),
    "blank in a path": (lambda at: _rewrite(at, "row_001", "row 001"), "line 2.*one blank between"),
    "no confidence": (lambda at: _end_first_line(at, ""), "line 1: .*a class id and a confidence"),
    "confidence in words": (lambda at: _end_first_line(at, " sure"), "line 1: confidence sure is no finite number"),
    "infinite confidence": (lambda at: _end_first_line(at, " inf"), "line 1: confidence inf is no finite number"),
    "class id": (lambda at: _rewrite(at, "_001.txt ", "_001.txt 1"), "line 2: class id 1.* is none of ScanNet's 18"),
    "the same mask twice": (lambda at: _rewrite(at, "row_001", "row_000"), "line 2: .*row_000.txt is there twice"),
    "missing mask": (lambda at: (at / "predicted_masks" / "row_001.txt").unlink(), "line 2: .*cannot be read"),
    "missing scene": (lambda at: (at / "row.txt").unlink(), "row.txt cannot be read.*export it again"),
    "short mask": (lambda at: _mask(at, lambda text: text[:-2]), f"line 2: .*not one digit .* {POINTS} points"),
    "other numbers": (lambda at: _mask(at, lambda text: b"2" + text[1:]), "line 2: .*something else than 0 and 1"),
    "empty mask": (lambda at: _mask(at, lambda text: text.replace(b"1", b"0")), "line 2: .*marks no point"),
    "foreign file": (lambda at: (at / "notes.txt").write_text("hello"), "notes.txt is of no exported scene"),
    "no archive": (lambda at: (at / "mine.zip").write_bytes(b"PK"), "mine.zip cannot be read"),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT)
def test_what_the_benchmark_would_refuse_is_found(
    submission: tuple[Path, SceneFacts], spoil: Callable[[Path], Any], said: str
) -> None:
    folder, facts = submission
    spoil(folder)
    (problem,) = ScannetBenchmark.problems(folder, [facts])
    assert re.search(said, problem), problem


def test_an_archive_with_a_folder_around_it_is_found(submission: tuple[Path, SceneFacts]) -> None:
    folder, facts = submission
    for top, problems in (("", 0), ("scannet-benchmark/", 1)):
        with ZipFile(folder / "submission.zip", "w") as archive:
            for path in [folder / "row.txt", *sorted((folder / "predicted_masks").iterdir())]:
                archive.write(path, top + path.relative_to(folder).as_posix())
        found = ScannetBenchmark.problems(folder, [facts])
        assert len(found) == problems
    assert "submission.zip lacks row.txt at its top" in found[0]


def test_archives_of_gigabytes_are_told_before(
    submission: tuple[Path, SceneFacts], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, facts = submission
    monkeypatch.setattr("stages.export.formats.scannet_benchmark.MOST_BYTES", 100)
    (problem,) = ScannetBenchmark.problems(folder, [facts])
    assert "lower inference.most_proposals" in problem


def test_the_hidden_test_comes_as_a_whole_and_alone(submission: tuple[Path, SceneFacts]) -> None:
    folder, facts = submission
    written = submission_files("scan", predictions(proposals=0), SUPERPOINT, CLASSES)

    def submit(*names: str) -> list[str]:
        for path in folder.glob("*.txt"):
            path.unlink()
        for name in names:
            (folder / f"{name}.txt").write_bytes(written.files["scan.txt"])
        return ScannetBenchmark.problems(folder, [SceneFacts(name, "", facts.facts) for name in names])

    assert submit(*TEST_SCANS) == []
    assert submit("scene0011_00") == []
    (absent,) = submit(*TEST_SCANS[1:])
    assert absent.startswith("1 of the benchmark's 100 test scans have no file: scene0707_00")
    (others,) = submit(*TEST_SCANS, "scene0011_00")
    assert "scene0011_00; submit the test scans alone" in others


@pytest.mark.slow
def test_a_trained_run_becomes_a_submission(tmp_path: Path) -> None:
    tiny = ("training.steps=20", "training.options.widths=[4, 8]", "training.options.width=8")
    options = ("scenes.count=2", "scenes.points=1500", "training.network=spformer", "training.options.layers=1", *tiny)
    line = [word for option in options for word in ("--set", option)]
    completed("run", "demo", *line, "--output", "run", cwd=tmp_path)
    ended = completed("export", "run", "--format", "scannet-benchmark", "--to", "out", "--check", cwd=tmp_path)
    assert ended.counts("scannet-benchmark") == (2, 0, 0, 0)
    assert "scannet-benchmark: checked, nothing wrong" in ended.out
    folder = tmp_path / "out" / "scannet-benchmark"
    for scene in ("room_0000", "room_0001"):
        arrays, _ = read_arrays(tmp_path / "run" / "round_00" / "inference" / scene)
        superpoint = read_arrays(tmp_path / "run" / "superpoints" / scene)[0]["superpoint"]
        lines = as_evaluated(folder, scene, len(superpoint))
        assert len(lines) == len(arrays["mask"])
        for (mask, _, _), ours in zip(lines, arrays["mask"], strict=True):
            np.testing.assert_array_equal(mask, ours[superpoint])
    (folder / "stray.txt").write_text("predicted_masks/nothing.txt 5 0.5\n")
    refused = boxgp("export", "run", "--format", "scannet-benchmark", "--to", "out", "--check", cwd=tmp_path)
    assert refused.code == 1
    assert "stray.txt is of no exported scene" in refused.out


@pytest.mark.slow
def test_a_run_without_a_network_is_told_what_to_do(tmp_path: Path) -> None:
    line = ("run", "demo", "--set", "scenes.count=1", "--set", "scenes.points=1500", "--output", "run")
    completed(*line, cwd=tmp_path)
    refused = boxgp("export", "run", "--format", "scannet-benchmark", "--to", "out", cwd=tmp_path)
    assert refused.code == 2
    assert "--set training.network=spformer" in refused.err
