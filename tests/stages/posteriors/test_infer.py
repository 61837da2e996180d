"""From a scene to its labels by the stages' own functions: accuracy on a scene with known truth, and invariances."""

from dataclasses import replace

import numpy as np
import pytest

from stages.features.handcrafted import region_features
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.engines.base import Engine
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.engines.linear import LinearEngine
from stages.posteriors.engines.regression import RegressionEngine
from stages.posteriors.infer import conclude, prepare, solve_pairs
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Boxes, Scene
from stages.superpoints.partition import partition_scene
from tests.stages.scenery import PARAMETERS, quarter_turn, reordered, two_objects

ENGINES: dict[str, Engine] = {
    "laplace": LaplaceEngine(learn=False),
    "regression": RegressionEngine(learn=False),
    "linear": LinearEngine(),
}


def label(scene: Scene, **options: object) -> PseudoLabels:
    config = PosteriorsConfig.model_validate(options)
    superpoints = partition_scene(scene, "points", PARAMETERS)
    normals, ids = superpoints.surface.normal, superpoints.superpoint
    features = region_features(
        scene.xyz, scene.rgb, normals, ids, len(superpoints), ("position", "color", "normal"), 1.0
    )
    engine = ENGINES.get("laplace" if config.observations == "pairs" else config.engine)
    prepared = prepare(scene, superpoints, config)
    pairs = [] if engine is None else prepared.pairs(features, config)
    (solutions,) = solve_pairs([pairs], engine)
    posteriors = conclude(prepared, config, engine, pairs, solutions)
    return build_labels(scene, superpoints, posteriors, "coupling")


def owners(labels: PseudoLabels) -> np.ndarray:
    """Object of each point, -1 for none."""
    mask = labels.at_points("mask")
    return np.where(mask.any(axis=0), mask.argmax(axis=0), -1) if len(mask) else np.full(mask.shape[1], -1)


def iou(labels: PseudoLabels, scene: Scene) -> list[float]:
    own = owners(labels)
    return [((own == k) & (scene.instance == k)).sum() / ((own == k) | (scene.instance == k)).sum() for k in (0, 1)]


@pytest.mark.parametrize("engine", ["graph", *ENGINES])
def test_engines_separate_table_and_cupboard(engine: str) -> None:
    scene = two_objects()
    assert min(iou(label(scene, engine=engine), scene)) > 0.9


def test_a_joint_posterior_may_observe_pairs() -> None:
    scene = two_objects()
    labels = label(scene, observations="pairs")
    assert min(iou(labels, scene)) > 0.9
    assert labels.link == "identity"
    assert (labels.probability != label(scene).probability).any()


def test_uncertain_faces_question_what_a_box_cuts_off() -> None:
    scene = two_objects()
    corners = scene.boxes.corners.copy()
    corners[0, 4] -= 0.06  # an edge of the table top
    noisy = replace(scene, boxes=replace(scene.boxes, corners=corners + np.float32(0.0003)))
    edge = (scene.instance == 0) & (scene.xyz[:, 1] > 1.46) & (scene.xyz[:, 0] < 1.7)
    uncertain, plain = (
        label(noisy, faces=faces, face_deviation=0.05).at_points("probability")[0] for faces in ("uncertain", "plain")
    )
    assert (plain[edge] == 0).all()
    assert uncertain[edge].mean() > 0.2
    rest = (scene.instance == 0) & ~edge  # background beyond the face no longer pulls at it
    assert uncertain[rest].mean() > plain[rest].mean() + 0.2


def test_truth_is_the_ceiling_and_needs_instances() -> None:
    scene = two_objects()
    truth = iou(label(scene, engine="truth"), scene)
    assert min(truth) > 0.97
    assert sum(truth) >= sum(iou(label(scene, engine="laplace"), scene))
    with pytest.raises(ValueError, match="no ground-truth instances"):
        label(replace(scene, instance=None), engine="truth")


def test_none_leaves_contested_regions_without_a_label() -> None:
    scene = two_objects()
    labels = label(scene, engine="none")
    assert labels.ignore.any()
    assert not labels.mask[:, labels.ignore].any()
    assert (labels.uncertainty[labels.ignore] == 0).all()
    assert labels.mask.any(axis=1).all()


@pytest.mark.parametrize("engine", ["graph", "laplace", "smallest_box", "nearest_center", "prior", "linear"])
def test_a_permutation_of_boxes_permutes_the_labels_exactly(engine: str) -> None:
    scene = two_objects()
    extra = np.array([[0.4, 0.4, 0, 1.4, 1.6, 1.0], [3, 2, 0, 3.5, 2.5, 1]], np.float32)
    boxes = Boxes(
        np.concatenate([scene.boxes.corners, extra]),
        np.array([4, 0, 2, 2], np.int32),
        np.array([0, 1, -1, -1], np.int32),
    )
    shuffle = np.array([2, 0, 3, 1])
    shuffled = Boxes(boxes.corners[shuffle], boxes.class_index[shuffle], boxes.instance[shuffle])
    one, other = label(replace(scene, boxes=boxes), engine=engine), label(replace(scene, boxes=shuffled), engine=engine)
    for name in ("mask", "mean", "variance", "probability", "latent_mean", "latent_variance"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name)[shuffle])
    np.testing.assert_array_equal(other.uncertainty, one.uncertainty)
    np.testing.assert_array_equal(other.source, one.source)


def test_translation_quarter_turn_and_order_of_points_change_next_to_nothing() -> None:
    scene = two_objects()
    expected = owners(label(scene))
    shift = np.array([7.3, -11.9, 2.1], np.float32)
    corners = scene.boxes.corners
    moved = replace(scene, xyz=scene.xyz + shift, boxes=replace(scene.boxes, corners=corners + np.tile(shift, 2)))
    shuffle = np.random.default_rng(1).permutation(len(scene))
    assert (owners(label(moved)) != expected).mean() <= 0.001
    assert (owners(label(quarter_turn(scene))) != expected).mean() <= 0.001
    assert (owners(label(reordered(scene, shuffle))) != expected[shuffle]).mean() <= 0.001


@pytest.mark.parametrize("background", ["floor", "planes"])
def test_background_boxes_contest_the_foot_of_objects(background: str) -> None:
    labels = label(two_objects(), background=background, evidence=[])
    assert (labels.contested == 2).any()


def test_given_background_boxes() -> None:
    scene = replace(two_objects(), background_boxes=np.array([[-1, -1, -1, 5, 5, 0.02]], np.float32))
    assert (label(scene, background="boxes", evidence=[]).contested == 2).any()
    with pytest.raises(ValueError, match="no background boxes"):
        label(two_objects(), background="boxes")


def test_moments_keep_their_ranges() -> None:
    labels = label(two_objects())
    for name in ("mean", "probability", "variance"):
        values = getattr(labels, name)
        assert ((values >= 0) & (values <= 1)).all()
    assert (labels.variance[:, labels.contested == 0] == 0).all()
    assert (labels.mask.sum(axis=0) <= 1).all()
    assert np.isnan(labels.latent_mean[:, labels.contested == 0]).all()


@pytest.mark.parametrize("boxes", ["none", "far", "duplicate"])
def test_strange_boxes(boxes: str) -> None:
    scene = two_objects()
    far = np.array([[50, 50, 50, 51, 51, 51]], np.float32)
    corners = {"none": far[:0], "far": far, "duplicate": np.repeat(scene.boxes.corners[:1], 2, axis=0)}[boxes]
    ids = np.full(len(corners), -1, np.int32)
    labels = label(replace(scene, boxes=Boxes(corners, ids, ids)))
    assert labels.mask.shape[0] == len(corners)
    assert labels.mask.any() == (boxes == "duplicate")
