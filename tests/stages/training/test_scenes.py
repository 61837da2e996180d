"""Scenes to train on: from the data of stages to tensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Boxes, LabelSource, Scene
from stages.training.scenes import select_regions, training_scene

SUPERPOINT = np.array([2, 0, -1, 1, 0, 3], np.int32)


def a_scene() -> Scene:
    xyz = np.arange(18, dtype=np.float32).reshape(6, 3)
    xyz[2] = np.nan
    corners = np.array([[0, 0, 0, 2, 4, 6], [1, 1, 1, 2, 2, 2], [0, 0, 0, 1, 1, 1]], np.float32)
    boxes = Boxes(corners, np.array([3, -1, 0], np.int32), np.array([0, 1, 2], np.int32))
    rgb = np.array([[0, 255, 0], [255, 255, 255], [9, 9, 9], [0, 0, 0], [51, 204, 255], [0, 0, 0]], np.uint8)
    return Scene(scene="here", xyz=xyz, boxes=boxes, rgb=rgb, class_names=("a", "b", "c", "d"))


def the_labels(scene: Scene) -> PseudoLabels:
    mean = np.array([[1, 0.6, 0, 0.4], [0, 0.3, 0, 0.5], [0, 0.1, 0, 0]], np.float32)
    return PseudoLabels(
        scene="here",
        superpoint=SUPERPOINT,
        mask=np.array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], bool),
        mean=mean,
        variance=np.array([[0, 0.02, 0, 0.24], [0, 0.05, 0, 0.25], [0, 0.01, 0, 0]], np.float32),
        probability=mean,
        latent_mean=mean,
        latent_variance=mean,
        source=np.array([LabelSource.SINGLE_BOX, LabelSource.GP, LabelSource.NONE, LabelSource.FALLBACK], np.uint8),
        contested=np.array([0, 1, 0, 1], np.uint8),
        ignore=np.array([0, 0, 1, 0], bool),
        uncertainty=np.zeros(4, np.float32),
        boxes=scene.boxes,
        class_names=scene.class_names,
        frame="input",
        offset=np.zeros(3),
        link="sigmoid",
        superpoint_method="graph",
        superpoint_parameters={},
    )


def test_points_without_region_are_left_out() -> None:
    scene = training_scene(a_scene(), SUPERPOINT, None)
    assert scene.scene == "here"
    assert scene.labels is None
    assert scene.regions == 4
    assert scene.superpoint.tolist() == [2, 0, 1, 0, 3]
    assert torch.isfinite(scene.xyz).all()
    assert scene.xyz[:, 0].tolist() == [0, 3, 9, 12, 15]


def test_colours_lie_between_minus_one_and_one() -> None:
    color = training_scene(a_scene(), SUPERPOINT, None).color
    assert color[0].tolist() == [-1, 1, -1]
    torch.testing.assert_close(color[3], torch.tensor([-0.6, 0.6, 1.0]))
    assert not training_scene(replace(a_scene(), rgb=None), SUPERPOINT, None).color.any()


def test_posteriors_alone_are_contested() -> None:
    scene = a_scene()
    labels = training_scene(scene, SUPERPOINT, the_labels(scene)).labels
    assert labels is not None
    assert labels.determined.tolist() == [True, False, True, True]
    assert labels.ignore.tolist() == [False, False, True, False]
    torch.testing.assert_close(labels.variance, torch.tensor([[0, 0.02, 0, 0], [0, 0.05, 0, 0]]))
    torch.testing.assert_close(labels.mean, torch.tensor([[1, 0.6, 0, 0.4], [0, 0.3, 0, 0.5]]))


def test_objects_without_region_are_left_out() -> None:
    scene = a_scene()
    labels = training_scene(scene, SUPERPOINT, the_labels(scene)).labels
    assert labels is not None
    assert labels.mask.int().tolist() == [[1, 1, 0, 0], [0, 0, 0, 1]]
    assert labels.class_index.tolist() == [3, -1]
    assert labels.center.tolist() == [[1, 2, 3], [1.5, 1.5, 1.5]]
    assert labels.owner.tolist() == [0, 0, -1, 1]


def test_a_scene_without_boxes() -> None:
    scene = replace(a_scene(), boxes=Boxes.empty())
    empty = np.zeros((0, 4), np.float32)
    labels = replace(
        the_labels(scene),
        mask=empty.astype(bool),
        mean=empty,
        variance=empty,
        probability=empty,
        latent_mean=empty,
        latent_variance=empty,
    )
    result = training_scene(scene, SUPERPOINT, labels).labels
    assert result is not None
    assert len(result) == 0
    assert result.center.shape == (0, 3)
    assert result.owner.tolist() == [-1] * 4


def test_a_scene_without_points() -> None:
    result = training_scene(a_scene(), np.full(6, -1, np.int32), None)
    assert (len(result.xyz), result.regions) == (0, 0)


def test_gaps_between_regions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scene here: some of its regions 0\.\.4 have no point"):
        training_scene(a_scene(), np.array([2, 0, -1, 1, 0, 4], np.int32), None)


def test_labels_of_other_superpoints_are_refused() -> None:
    scene = a_scene()
    with pytest.raises(ValueError, match="labels belong to other superpoints"):
        training_scene(scene, SUPERPOINT[::-1].copy(), the_labels(scene))


def test_regions_are_selected_in_every_field() -> None:
    scene = a_scene()
    labels = training_scene(scene, SUPERPOINT, the_labels(scene)).labels
    assert labels is not None
    chosen = select_regions(labels, torch.tensor([False, True, True, False]))
    assert chosen.mask.int().tolist() == [[1, 0], [0, 0]]
    assert chosen.determined.tolist() == [False, True]
    assert chosen.ignore.tolist() == [False, True]
    assert chosen.mean.shape == chosen.variance.shape == (2, 2)
    assert chosen.center is labels.center
