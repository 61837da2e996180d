"""A submission to the ScanNet benchmark: what the network of a round found in each scan, one text file a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar
from zipfile import BadZipFile, ZipFile

import numpy as np

from pipeline.errors import InputError, SceneError
from pipeline.stage import SceneJob
from pipeline.store import fingerprint_of, read_arrays, read_manifest
from stages.export.base import ExportStage, SceneFacts, Written, npz_bytes
from stages.inference.records import Predictions
from stages.scenes.classes import SCANNET18
from stages.stores import read_predictions, read_superpoints
from stages.typing import Bool, Int32

if TYPE_CHECKING:
    from pipeline.results import RunResults

MASKS = "predicted_masks"
TEST_SCANS = tuple(f"scene{number:04}_00" for number in range(707, 807))
"""the 100 scans of the hidden test"""
MOST_BYTES = 10 * 10**9
"""12 GB were too many for the benchmark's server (filaPro/oneformer3d, issue 69)"""
_ONE, _LINE_END = ord("1"), ord("\n")
_FIELDS = 3
_SHOWN = 5


class ScannetBenchmark(ExportStage):
    """``<scene>.txt``: a line for each object found, ``predicted_masks/<scene>_<i>.txt <NYU40 id> <confidence>``.

    Masks hold a line 0 or 1 for each of the input's points, which therefore have to be the vertices of
    ``<scene>_vh_clean_2.ply`` in their order. The surest object comes first; masks may overlap. The network's own
    means and variances, for which a submission has no place, are in ``uncertainty/<scene>.npz`` in the order of the
    lines: superpoint int32 [N], mean and variance float32 [Q, S].
    """

    name = "scannet-benchmark"
    version = 1
    reader = "the ScanNet benchmark, 3D instances"
    inputs: ClassVar[tuple[str, ...]] = ("superpoints", "inference")

    @classmethod
    def check_run(cls, results: RunResults) -> None:
        """Raises InputError for a run without predictions."""
        if not results.scenes("inference"):
            raise InputError(
                f"{results.folder} has no predictions in round {results.round}, of which {cls.name} is made: train a "
                "network with --set training.network=spformer, or choose another round or format"
            )

    def written(self, job: SceneJob) -> Written:
        """The files of one scene.

        Raises SceneError for classes that are not ScanNet's 18, and for predictions on other superpoints.
        """
        made_from = read_manifest(job.inputs["inference"]).get("inputs") or {}
        if made_from.get("superpoints") not in {None, fingerprint_of(job.inputs["superpoints"])}:
            raise SceneError(
                f"scene {job.scene}: its predictions were made before superpoints was computed anew; run the same "
                "`boxgp run` again"
            )
        class_names = tuple(read_arrays(job.inputs["inference"])[1]["class_names"])
        predictions = read_predictions(job.inputs["inference"])
        superpoint = read_superpoints(job.inputs["superpoints"]).superpoint
        return submission_files(job.scene, predictions, superpoint, class_names)

    @classmethod
    def problems(cls, folder: Path, scenes: Sequence[SceneFacts]) -> list[str]:
        """What the benchmark would refuse in the folder of a submission, in sentences."""
        known = [one.scene for one in scenes]
        found = [
            f"{path.name} is of no exported scene, but would be read as one: remove it"
            for path in _foreign(folder, known)
        ]
        for one in scenes:
            found += _scene_problems(folder, one.scene, int(one.facts["points"]))
        return [*found, *_test_problems(known), *_size_problems(folder), *_archive_problems(folder, known)]


def submission_files(
    scene: str, predictions: Predictions, superpoint: Int32[np.ndarray, " N"], class_names: tuple[str, ...]
) -> Written:
    """The files of one scene; raises SceneError for classes that are not ScanNet's 18."""
    foreign = [name for name in class_names if name not in SCANNET18]
    if foreign:
        raise SceneError(
            f"scene {scene}: the network's classes are not ScanNet's 18 ({', '.join(foreign[:_SHOWN])}), and the "
            "benchmark knows no others; train on scenes.classes: scannet18"
        )
    files: dict[str, bytes] = {}
    lines = []
    for number, (mask, index, score) in enumerate(
        zip(predictions.mask, predictions.class_index, predictions.score, strict=True)
    ):
        path = f"{MASKS}/{scene}_{number:03}.txt"
        files[path] = mask_lines(np.append(mask, False)[superpoint])
        confidence = np.format_float_positional(score, unique=True, trim="0")
        lines.append(f"{path} {SCANNET18[class_names[index]]} {confidence}\n")
    files[f"{scene}.txt"] = "".join(lines).encode()
    files[f"uncertainty/{scene}.npz"] = npz_bytes(
        superpoint=superpoint, mean=predictions.mean, variance=predictions.variance
    )
    facts = {
        "points": len(superpoint),
        "objects": len(predictions),
        "classes": {str(number): name for name, number in SCANNET18.items()},
        "archive": f"zip -r submission.zip *.txt {MASKS} (in this folder: a submission has no folder around it)",
    }
    warnings = () if len(predictions) else (f"scene {scene}: the network found nothing, so that its file is empty",)
    return Written(files, facts, warnings)


def mask_lines(mask: Bool[np.ndarray, " N"]) -> bytes:
    """A line 0 or 1 for each point."""
    lines = np.full((len(mask), 2), _LINE_END, np.uint8)
    lines[:, 0] = mask + np.uint8(_ONE - 1)
    return lines.tobytes()


def _foreign(folder: Path, known: Sequence[str]) -> list[Path]:
    """Text files where the benchmark looks for scenes."""
    return [path for path in sorted(folder.glob("*.txt")) if path.stem not in known]


def _scene_problems(folder: Path, scene: str, points: int) -> Iterator[str]:
    try:
        lines = (folder / f"{scene}.txt").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        yield f"{scene}.txt cannot be read ({error}): export it again"
        return
    named: set[str] = set()
    for number, line in enumerate(lines, 1):
        problem = _line_problem(folder, line, points)
        path = line.split(" ")[0]
        if problem is None and path in named:
            problem = f"{path} is there twice"
        named.add(path)
        if problem is not None:
            yield f"{scene}.txt line {number}: {problem}"


def _line_problem(folder: Path, line: str, points: int) -> str | None:
    """What is wrong with a line or its mask; None where nothing is."""
    fields = line.split(" ")
    if len(fields) != _FIELDS:
        return f"{line!r} is not a path without blanks, a class id and a confidence, with one blank between"
    path, label, confidence = fields
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or len(parts) < _FIELDS - 1:
        return f"{path} has to be a relative path into a folder below this one"
    if label not in map(str, SCANNET18.values()):
        return f"class id {label} is none of ScanNet's 18"
    try:
        sure = bool(np.isfinite(float(confidence)))
    except ValueError:
        sure = False
    return _mask_problem(folder / path, path, points) if sure else f"confidence {confidence} is no finite number"


def _mask_problem(file: Path, path: str, points: int) -> str | None:
    try:
        content = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    if len(content) != 2 * points or (content[1::2] != _LINE_END).any():
        return f"{path} has not one digit a line for each of {points} points"
    if not np.isin(content[::2], (_ONE - 1, _ONE)).all():
        return f"{path} holds something else than 0 and 1"
    return None if (content[::2] == _ONE).any() else f"{path} marks no point"


def _test_problems(known: Sequence[str]) -> Iterator[str]:
    """Scans of the hidden test have to come together; others are for measuring at home."""
    there = set(TEST_SCANS).intersection(known)
    absent = [scene for scene in TEST_SCANS if scene not in there]
    if there and absent:
        yield f"{len(absent)} of the benchmark's {len(TEST_SCANS)} test scans have no file: {_list(absent)}"
    others = [scene for scene in known if scene not in there]
    if there and others:
        yield f"{len(others)} scenes are no test scans: {_list(others)}; submit the test scans alone"


def _size_problems(folder: Path) -> Iterator[str]:
    size = sum(path.stat().st_size for path in (folder / MASKS).glob("*.txt"))
    if size > MOST_BYTES:
        yield (
            f"the masks take {size / 1e9:.1f} GB: the benchmark gave up unpacking 12 GB; lower "
            "inference.most_proposals and run again"
        )


def _archive_problems(folder: Path, known: Sequence[str]) -> Iterator[str]:
    """Archives that were made in the folder."""
    for path in sorted(folder.glob("*.zip")):
        try:
            with ZipFile(path) as archive:
                names = set(archive.namelist())
        except (OSError, BadZipFile) as error:
            yield f"{path.name} cannot be read ({error})"
            continue
        absent = [f"{scene}.txt" for scene in known if f"{scene}.txt" not in names]
        if absent:
            yield f"{path.name} lacks {_list(absent)} at its top: zip the files, not the folder around them"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
