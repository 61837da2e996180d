"""What people said of regions: it holds exactly, whatever the engine, and their neighbours learn from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SceneError
from pipeline.stage import SceneJob
from pipeline.store import commit
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.determine import determine, leave_to_posterior, with_corrections
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.graph.observations import SEED, graph_problem
from stages.posteriors.infer import conclude, prepare, solve_pairs
from stages.posteriors.problems import ProblemParameters, background_pairs
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.labels import PseudoLabels
from stages.pseudo_labels.stage import PseudoLabels as LabelStage
from stages.review.corrections import (
    BACKGROUND,
    UNTOUCHED,
    Correction,
    Corrections,
    corrections_file,
    write_corrections,
)
from stages.stores import read_features, read_scene, read_superpoints
from stages.structures import Boxes, LabelSource, Scene
from tests.stages.posteriors.graph.test_observations import CANDIDATE, NESTED, PRIOR, SIZE, superpoints
from tests.stages.posteriors.test_stage import job_of, run
from tests.stages.scenery import two_objects

NOW = "2026-01-02T03:04:05+00:00"
ENGINES = ["graph", "laplace", "regression", "linear", "smallest_box", "prior", "none", "truth"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results that posteriors read, of a scene whose boxes are not in canonical order."""
    folder = tmp_path_factory.mktemp("stored")
    job_of(_three_boxes(), folder)
    return folder


def _three_boxes() -> Scene:
    scene = two_objects(points=1500)
    far = np.array([[3.4, 2.4, 0.0, 3.6, 2.6, 0.2]], np.float32)
    order = np.array([0, 2, 1])  # table, far box, cupboard: the smallest is in the middle
    corners = np.concatenate([scene.boxes.corners, far])[order]
    return replace(scene, boxes=Boxes(corners, np.array([4, 2, 0], np.int32), np.array([0, -1, 1], np.int32)))


def label(stored: Path, folder: Path, said: dict[int, int] | None = None, **options: Any) -> PseudoLabels:
    """Labels of the stored scene by both stages, after people gave regions to boxes."""
    inputs = {name: stored / name for name in ("scenes", "superpoints", "features")}
    files: tuple[Path, ...] = ()
    if said is not None:
        path = corrections_file(folder, "two_objects")
        entries = tuple(Correction(region, owner, NOW) for region, owner in said.items())
        write_corrections(path, Corrections("two_objects", "superpoints", entries), expected=0)
        files = (path,)
    commit(folder / "posteriors", run(SceneJob("two_objects", inputs, files), **options), {"fingerprint": "p"})
    inputs = {"scenes": inputs["scenes"], "superpoints": inputs["superpoints"], "posteriors": folder / "posteriors"}
    result = LabelStage(PseudoLabelsConfig()).run_scene(SceneJob("two_objects", inputs))
    commit(folder / "labels", result, {"fingerprint": "l"})
    return PseudoLabels.open(folder / "labels")


@pytest.mark.parametrize("options", [*({"engine": engine} for engine in ENGINES), {"observations": "pairs"}], ids=str)
def test_the_word_of_people_holds_exactly(options: dict[str, Any], stored: Path, tmp_path: Path) -> None:
    free = label(stored, tmp_path / "free", **options)
    # regions of every kind: contested ones, of one box, of none; boxes that are no candidates
    in_boxes, outside = np.flatnonzero(free.mask.any(axis=0)), np.flatnonzero(~free.mask.any(axis=0))
    said = {int(in_boxes[0]): BACKGROUND, int(in_boxes[1]): 1, int(in_boxes[-1]): 2, int(outside[0]): 0}
    labels = label(stored, tmp_path / "said", said, **options)
    assert np.flatnonzero(labels.source == LabelSource.HUMAN).tolist() == sorted(said)
    for region, owner in said.items():
        for values in (labels.mask, labels.mean, labels.probability):
            assert values[:, region].tolist() == [float(box == owner) for box in range(3)]
        assert not labels.variance[:, region].any()
        assert (labels.uncertainty[region], labels.contested[region], labels.ignore[region]) == (0, 0, False)
        assert np.isnan(labels.latent_mean[:, region]).all()


@pytest.mark.parametrize("said", [{}, {5: UNTOUCHED}])
@pytest.mark.parametrize("engine", ["graph", "laplace"])
def test_what_is_taken_back_leaves_no_trace(engine: str, said: dict[int, int], stored: Path, tmp_path: Path) -> None:
    label(stored, tmp_path / "free", engine=engine)
    label(stored, tmp_path / "said", said or None, engine=engine)
    for name in ("posteriors", "labels"):
        one, other = ((tmp_path / run / name / "data.zarr.zip").read_bytes() for run in ("free", "said"))
        assert one == other


@pytest.mark.parametrize("engine", ["graph", "laplace", "regression", "linear"])
def test_neighbours_are_drawn_along(engine: str, stored: Path, tmp_path: Path) -> None:
    free = label(stored, tmp_path / "free", engine=engine)
    among = np.flatnonzero(free.contested == 1)  # of table and cupboard alike
    said, others = among[::2], among[1::2]
    drawn = {
        box: label(stored, tmp_path / str(box), dict.fromkeys(said.tolist(), box), engine=engine).probability
        for box in (0, 2)
    }
    for box, other in ((0, 2), (2, 0)):
        assert drawn[box][box, others].mean() > drawn[other][box, others].mean() + 0.05


def test_the_order_of_boxes_does_not_matter(tmp_path: Path) -> None:
    scene = _three_boxes()
    order = np.array([2, 0, 1])
    boxes = Boxes(scene.boxes.corners[order], scene.boxes.class_index[order], scene.boxes.instance[order])
    job_of(scene, tmp_path / "one")
    job_of(replace(scene, boxes=boxes), tmp_path / "other")
    one = label(tmp_path / "one", tmp_path / "1", {3: 0, 4: 1, 5: 2, 6: BACKGROUND})
    other = label(tmp_path / "other", tmp_path / "2", {3: 1, 4: 2, 5: 0, 6: BACKGROUND})
    for name in ("mask", "mean", "variance", "probability"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name)[order])
    np.testing.assert_array_equal(other.uncertainty, one.uncertainty)


def test_corrections_in_the_structures() -> None:
    free = determine(CANDIDATE, CANDIDATE, NESTED, PRIOR, np.zeros(4, bool))
    said = with_corrections(free, np.array([1, -1, 2, -1], np.int32))
    assert said.owner.tolist() == [1, free.owner[1], 2, free.owner[3]]
    assert said.by_people.tolist() == [True, False, True, False]
    np.testing.assert_array_equal(said.prior[:, [0, 2]], np.eye(3, dtype=np.float32)[:, [1, 2]])
    np.testing.assert_array_equal(said.prior[:, [1, 3]], PRIOR[:, [1, 3]])
    np.testing.assert_array_equal(said.candidate, CANDIDATE | np.array([[0] * 4, [1, 0, 0, 0]], bool))
    assert leave_to_posterior(said).owner.tolist() == [1, -1, 2, -1]


def test_the_joint_posterior_trusts_people_more_than_seeds() -> None:
    free = determine(CANDIDATE, CANDIDATE, NESTED, PRIOR, np.zeros(4, bool))
    said = with_corrections(free, np.array([-1, -1, 2, 0], np.int32))
    seed = np.array([[0, 1, 1, 0], [0, 0, 1, 1]], bool)
    problem = graph_problem(said, said.prior.astype(np.float64), superpoints(), SIZE, seed)
    np.testing.assert_array_equal(problem.observation[:, 2:], [[0, 1], [0, 0], [1, 0]])
    # points of 16 and 81 to the power 3/4; edges of weight 2 + 3 and 3
    np.testing.assert_allclose(problem.precision[2:], [max(SEED * 8, 5), max(SEED * 27, 3)])


def test_pairs_learn_background_from_what_people_gave_to_it() -> None:
    free = determine(CANDIDATE, CANDIDATE, NESTED, PRIOR, np.array([True, False, False, False]))
    said = with_corrections(free, np.array([-1, -1, 2, 0], np.int32))
    corners = np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 2, 2, 2]], np.float32)
    feature = np.arange(4, dtype=np.float32)[:, None]
    parameters = ProblemParameters(skip_overlap=1.0, maximum_determined=9, background_reach=0.1)
    (pair,) = background_pairs(said, feature, np.zeros((4, 3)), corners, parameters)
    assert pair.region.tolist() == [1]
    assert pair.problem is not None
    # region 3 is the box's own, region 0 lies in a background box, and region 2 was given to background
    assert pair.problem.feature.ravel().tolist() == [3, 0, 2]
    assert pair.problem.first.tolist() == [True, False, False]


def _wrong(folder: Path, stored: Path, text: str | None, superpoints: str = "superpoints", region: int = 0) -> str:
    """What the stage says about a corrections file."""
    path = corrections_file(folder, "two_objects")
    write_corrections(path, Corrections("two_objects", superpoints, (Correction(region, 0, NOW),)), expected=0)
    if text is not None:
        path.write_text(text)
    inputs = {name: stored / name for name in ("scenes", "superpoints", "features")}
    with pytest.raises(SceneError) as refused:
        run(SceneJob("two_objects", inputs, (path,)))
    assert str(refused.value).startswith(f"scene two_objects: {path}")
    return str(refused.value)


def test_wrong_corrections_end_the_scene_with_a_remedy(tmp_path: Path, stored: Path) -> None:
    stale = _wrong(tmp_path / "stale", stored, None, superpoints="other")
    assert "is about superpoints that are no longer there" in stale
    assert "move that file away and review the scene again" in stale
    assert "is corrupt" in _wrong(tmp_path / "corrupt", stored, "{")
    beyond = _wrong(tmp_path / "beyond", stored, None, region=10**6)
    assert "entry 0 is about region 1000000" in beyond
    assert "move that file away" in beyond


def test_without_files_the_stage_asks_nobody(stored: Path) -> None:
    scene, partition = read_scene(stored / "scenes"), read_superpoints(stored / "superpoints")
    engine, config = LaplaceEngine(learn=False), PosteriorsConfig(engine="laplace")
    nothing = np.full(len(partition), -1, np.int32)
    found = []
    for said in (None, nothing):
        prepared = prepare(scene, partition, config, None, said)
        pairs = prepared.pairs(read_features(stored / "features"), config)
        (solutions,) = solve_pairs([pairs], engine)
        found.append(build_labels(scene, partition, conclude(prepared, config, engine, pairs, solutions), "coupling"))
    np.testing.assert_array_equal(found[0].probability, found[1].probability)
