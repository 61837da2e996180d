"""Labels in GaPro's form become ours, with the same masks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.scene import LabelledScene
from stages.posteriors.engines.links import eq2_probability, probit_moments, sigmoid_moments
from stages.structures import Boxes, LabelSource
from tests.stages.export.conftest import real_labelled
from tests.stages.export.labelled import (
    RealLabelled,
    renamed_classes,
    small_room,
    with_empty_object,
    with_ignored,
    with_nan,
    without_boxes,
)
from tests.stages.pseudo_labels.given_files import (
    INST,
    MU,
    NOTHING,
    PROB,
    SEM,
    VAR,
    arrays_of,
    halved,
    imported,
    of_regions,
)

__all__ = ["real_labelled"]
Variant = Callable[[LabelledScene], LabelledScene]


def assert_same_masks(labelled: LabelledScene, arrays: list[np.ndarray], folder: Path) -> None:
    found, oddities = imported(labelled, arrays, folder)
    ours = labelled.labels
    assert oddities == []
    np.testing.assert_array_equal(found.superpoint, ours.superpoint)
    np.testing.assert_array_equal(found.mask, ours.mask)
    np.testing.assert_array_equal(found.at_points("mask"), ours.at_points("mask"))
    np.testing.assert_array_equal(found.ignore, ours.ignore)
    owned = ours.mask & np.isfinite(ours.latent_mean)
    for name in ("probability", "latent_mean", "latent_variance"):
        np.testing.assert_allclose(getattr(found, name)[owned], getattr(ours, name)[owned], atol=1e-6)
    assert found.superpoint_method == ours.superpoint_method
    assert found.class_names == ours.class_names


@pytest.mark.parametrize(
    "variant", [lambda one: one, with_nan, without_boxes, with_empty_object, with_ignored, renamed_classes]
)
def test_what_was_exported_comes_back(variant: Variant, tmp_path: Path) -> None:
    labelled = variant(small_room())
    assert_same_masks(labelled, arrays_of(labelled), tmp_path)


@pytest.mark.real
def test_a_real_scan_comes_back(real_labelled: RealLabelled, tmp_path: Path) -> None:
    labelled = real_labelled("scene0002_00")
    assert_same_masks(labelled, arrays_of(labelled), tmp_path)


def test_moments_of_the_joint_engine_come_back(tmp_path: Path) -> None:
    labelled = small_room()
    found, _ = imported(labelled, arrays_of(labelled), tmp_path)
    ours = labelled.labels
    assert found.link == ours.link == "identity"
    owned = ours.mask & (ours.source == LabelSource.GP)
    assert owned.any()
    np.testing.assert_allclose(found.variance[owned], ours.variance[owned], atol=1e-6)
    np.testing.assert_allclose(found.mean[owned], ours.mean[owned], atol=1e-6)


def test_every_label_says_what_its_file_says(tmp_path: Path) -> None:
    labelled = small_room()
    arrays = arrays_of(labelled)
    found, _ = imported(labelled, arrays, tmp_path)
    region = found.superpoint[labelled.kept]
    background = np.where(arrays[INST] < 0, 1 - found.probability.sum(axis=0)[region], arrays[PROB])
    # where no box is around a region, background is all that it can be
    around = found.probability.sum(axis=0)[region] > 0
    assert (around & (arrays[INST] < 0)).any()
    np.testing.assert_allclose(background[around], arrays[PROB][around], atol=1e-6)
    share = arrays[PROB].astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -(np.nan_to_num(share * np.log2(share)) + np.nan_to_num((1 - share) * np.log2(1 - share)))
    np.testing.assert_allclose(found.uncertainty[region], entropy, atol=1e-5)


def test_invariants_of_the_store(tmp_path: Path) -> None:
    labelled = with_ignored(small_room())
    found, _ = imported(labelled, arrays_of(labelled), tmp_path)
    assert (found.mask.sum(axis=0) <= 1).all()
    assert not found.mask[:, found.ignore].any()
    assert not found.probability[:, found.ignore].any()
    assert (found.probability.sum(axis=0) <= 1 + 1e-6).all()
    assert (found.variance <= 0.25 + 1e-6).all()
    determined = (found.source == LabelSource.SINGLE_BOX) | (found.source == LabelSource.BACKGROUND)
    assert not found.variance[:, determined].any()
    assert set(np.unique(found.probability[:, determined])) <= {0.0, 1.0}
    np.testing.assert_array_equal(found.contested > 0, ~determined & ~found.ignore)
    assert (found.source[found.ignore] == LabelSource.NONE).all()


def two_owners(labelled: LabelledScene, link: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Files as GaPro writes them: determined points, and a Gaussian Process of unknown sign; and its regions."""
    generator = np.random.default_rng(0)
    region = labelled.superpoint()
    count = int(region.max()) + 1
    arrays = arrays_of(labelled)
    owned = of_regions(labelled, arrays[INST]) >= 0
    fitted = owned & (generator.random(count) < 0.5)
    mean, variance = generator.normal(0, 2, count), generator.uniform(0.1, 3, count)
    probability = eq2_probability(mean, variance) if link == "sigmoid" else probit_moments(mean, variance)[0]
    of_region = {
        PROB: np.where(fitted, np.maximum(probability, 1 - probability), 1.0),
        MU: np.where(fitted, mean, NOTHING),
        VAR: np.where(fitted, variance, NOTHING),
    }
    for place, values in of_region.items():
        arrays[place] = values.astype(np.float32)[region]
    return arrays, fitted


@pytest.mark.parametrize("link", ["sigmoid", "probit"])
def test_the_link_is_told_from_the_values(link: str, tmp_path: Path) -> None:
    labelled = small_room()
    arrays, fitted = two_owners(labelled, link)
    found, oddities = imported(labelled, arrays, tmp_path)
    assert found.link == link
    assert oddities == []
    moments = sigmoid_moments if link == "sigmoid" else probit_moments
    mean, variance = (of_regions(labelled, arrays[place])[fitted].astype(np.float64) for place in (MU, VAR))
    owner = of_regions(labelled, arrays[INST])[fitted]
    at = (owner, np.flatnonzero(fitted))
    np.testing.assert_allclose(found.variance[at], moments(mean, variance)[1], atol=1e-6)
    np.testing.assert_allclose(found.latent_mean[at], np.abs(mean), atol=1e-6)  # toward the owner, who is likelier
    assert (found.source[fitted] == LabelSource.GP).all()
    assert np.isnan(found.latent_mean[:, ~fitted]).all()


@pytest.mark.parametrize("as_tensors", [False, True])
def test_moments_of_regions_are_spread_over_their_points(as_tensors: bool, tmp_path: Path) -> None:
    labelled = with_nan(small_room())
    arrays, _ = two_owners(labelled, "probit")
    expected, _ = imported(labelled, arrays, tmp_path)
    arrays[MU], arrays[VAR] = (of_regions(labelled, arrays[place]) for place in (MU, VAR))
    superpoint: object = labelled.superpoint() * 7 + 3  # ids need not be contiguous: the order of the ids counts
    if as_tensors:
        import torch

        superpoint = torch.from_numpy(superpoint)
    found, _ = imported(labelled, arrays, tmp_path, superpoint=superpoint)
    for name in ("superpoint", "mask", "probability", "variance", "latent_mean", "latent_variance"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_moments_of_regions_need_the_regions(tmp_path: Path) -> None:
    labelled = small_room()
    arrays = arrays_of(labelled)
    arrays[MU], arrays[VAR] = arrays[MU][:7], arrays[VAR][:7]
    with pytest.raises(SceneError, match=r"those of 7 regions, not of 3000 points.*--superpoints"):
        imported(labelled, arrays, tmp_path)
    with pytest.raises(SceneError, match="belong to different partitions"):
        imported(labelled, arrays, tmp_path, superpoint=labelled.superpoint())


def test_labels_of_all_points_fit_as_well_as_those_of_finite_ones(tmp_path: Path) -> None:
    labelled = with_nan(small_room())
    arrays = arrays_of(labelled)
    everywhere = []
    for values in arrays:
        full = np.full(len(labelled.scene), 1 if values.dtype == np.float32 else 0, values.dtype)
        full[labelled.kept] = values
        everywhere.append(full)
    assert_same_masks(labelled, everywhere, tmp_path)
    with pytest.raises(SceneError, match=r"2999 points, the scan has 3000 \(2\d\d\d of them finite\)"):
        imported(labelled, [values[:-1] for values in everywhere], tmp_path)


def test_regions_are_split_where_labels_differ(tmp_path: Path) -> None:
    labelled = small_room()
    found, oddities = imported(halved(labelled), arrays_of(labelled), tmp_path)
    np.testing.assert_array_equal(found.at_points("mask"), labelled.labels.at_points("mask"))
    assert found.superpoint_method == "imported"
    assert "training does not" in " ".join(oddities)


def test_objects_that_are_no_boxes_are_refused(tmp_path: Path) -> None:
    labelled = small_room()
    fewer = labelled.labels.boxes
    fewer = Boxes(fewer.corners[:-1], fewer.class_index[:-1], fewer.instance[:-1])
    last = len(labelled.labels.boxes) - 1
    lacking = replace(labelled, scene=replace(labelled.scene, boxes=fewer))
    with pytest.raises(SceneError, match=rf"1 of its {last + 1} objects lie in none of the scene's {last} boxes"):
        imported(lacking, arrays_of(labelled), tmp_path)


def test_boxes_of_other_classes_are_refused(tmp_path: Path) -> None:
    labelled = small_room()
    boxes = labelled.scene.boxes
    others = replace(boxes, class_index=((boxes.class_index + 1) % 18).astype(np.int32))
    with pytest.raises(SceneError, match="that has their class"):
        imported(replace(labelled, scene=replace(labelled.scene, boxes=others)), arrays_of(labelled), tmp_path)


def test_boxes_in_another_order_are_found(tmp_path: Path) -> None:
    labelled = small_room()
    boxes = labelled.scene.boxes
    turned = Boxes(boxes.corners[::-1].copy(), boxes.class_index[::-1].copy(), boxes.instance[::-1].copy())
    other = replace(labelled, scene=replace(labelled.scene, boxes=turned))
    found, oddities = imported(other, arrays_of(labelled), tmp_path)
    np.testing.assert_array_equal(found.at_points("mask"), labelled.labels.at_points("mask")[::-1])
    assert "not numbered as the scene's 10 boxes: 10 of these were found" in oddities[0]


def test_objects_without_a_class_leave_gaps_in_the_numbers_of_the_others(tmp_path: Path) -> None:
    # as GaPro's generator does it: boxes of objects of no class are among those that it numbers
    labelled = small_room()
    arrays = arrays_of(labelled)
    arrays[INST][arrays[INST] >= 3] += 2
    unnamed = np.flatnonzero(arrays[SEM] == 18)[:200]
    arrays[SEM][unnamed], arrays[INST][unnamed] = NOTHING, 3
    found, oddities = imported(labelled, arrays, tmp_path)
    np.testing.assert_array_equal(found.at_points("mask"), labelled.labels.at_points("mask"))
    assert found.ignore[found.superpoint[labelled.kept[unnamed]]].all()
    assert "10 of these were found by class and place" in oddities[0]


def test_an_object_of_two_classes_is_refused(tmp_path: Path) -> None:
    labelled = small_room()
    arrays = arrays_of(labelled)
    arrays[SEM][np.flatnonzero(arrays[INST] == 0)[:5]] = 17
    with pytest.raises(SceneError, match="object 0 has regions of several classes"):
        imported(labelled, arrays, tmp_path)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (SEM, 19, r"class 19 occurs, but its classes are 0\.\.18"),
        (SEM, 18, "background of an object"),
        (PROB, 1.5, r"probabilities reach from .* to 1\.5"),
        (INST, NOTHING, "have a class and no object"),
    ],
)
def test_values_that_cannot_be_are_refused(place: int, value: float, message: str, tmp_path: Path) -> None:
    labelled = small_room()
    arrays = arrays_of(labelled)
    arrays[place][arrays[INST] == 0] = value
    with pytest.raises(SceneError, match=message):
        imported(labelled, arrays, tmp_path)


def test_probabilities_of_no_link_are_named(tmp_path: Path) -> None:
    labelled = small_room()
    arrays, fitted = two_owners(labelled, "sigmoid")
    chosen = fitted[labelled.superpoint()]
    arrays[MU][chosen], arrays[VAR][chosen], arrays[PROB][chosen] = 50.0, 1.0, 0.5
    _, oddities = imported(labelled, arrays, tmp_path)
    assert "by no known link" in " ".join(oddities)
