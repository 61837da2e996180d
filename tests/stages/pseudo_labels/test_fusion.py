from dataclasses import replace

import numpy as np

from stages.pseudo_labels.fusion import contested_kind, fuse, masks, uncertainty
from stages.structures import Faces, LabelSource, PairPosteriors


def posteriors() -> PairPosteriors:
    """Two boxes, five regions: background, box 0, overlap, questioned in box 1, overlap without a posterior."""
    candidate = np.array([[0, 1, 1, 0, 1], [0, 0, 1, 1, 1]], bool)
    prior = np.array([[0, 1, 0.45, 0, 0.2], [0, 0, 0.45, 0.7, 0.6], [1, 0, 0.1, 0.3, 0.2]], np.float32)
    source = np.array([LabelSource.BACKGROUND, LabelSource.SINGLE_BOX, *[LabelSource.GP] * 3], np.uint8)
    values = np.array([0.9, 0.6], np.float32)
    one = np.ones(2, np.float32)
    return PairPosteriors(
        owner=np.array([2, 0, -1, -1, -1], np.int32),
        source=source,
        candidate=candidate,
        prior=prior,
        pair=np.array([[1, 0], [1, 2]], np.int32),
        overlap=np.array([0.3, 0], np.float32),
        indptr=np.array([0, 1, 2], np.int64),
        region=np.array([2, 3], np.int32),
        latent_mean=np.array([2, 0.4], np.float32),
        latent_variance=np.array([0.5, 0.7], np.float32),
        probability=values,
        mean=values - np.float32(0.1),
        variance=np.array([0.02, 0.03], np.float32),
        length_scale=one,
        output_scale=one,
        evidence=one,
        steps=np.ones(2, np.int32),
        jitter_retries=np.zeros(2, np.int32),
        fitted=np.ones(2, bool),
        link="sigmoid",
        engine="laplace",
        faces=Faces("plain", 0.0),
    )


def test_every_kind_of_region() -> None:
    fused = fuse(posteriors(), "coupling")
    moments = fused.moments
    np.testing.assert_allclose(moments.probability[:, 0], [0, 0])
    np.testing.assert_allclose(moments.probability[:, 1], [1, 0])
    np.testing.assert_allclose(moments.probability[:, 2], [0.1 * 0.9, 0.9 * 0.9], rtol=1e-6)
    np.testing.assert_allclose(moments.probability[:, 3], [0, 0.6], rtol=1e-6)
    np.testing.assert_allclose(moments.probability[:, 4], [0.2, 0.6], rtol=1e-6)
    np.testing.assert_allclose(moments.mean[:, 2], [0.2 * 0.9, 0.8 * 0.9], rtol=1e-6)
    np.testing.assert_allclose(moments.variance[:, 3], [0, 0.03], rtol=1e-6)
    np.testing.assert_allclose(moments.variance[:, 4], [0.2 * 0.8, 0.6 * 0.4], rtol=1e-6)
    assert (moments.variance[:, :2] == 0).all()
    names = [LabelSource(s).name for s in fused.source]
    assert names == ["BACKGROUND", "SINGLE_BOX", "GP", "GP", "FALLBACK"]


def test_latent_moments_point_toward_each_object() -> None:
    fused = fuse(posteriors(), "largest_overlap")
    np.testing.assert_array_equal(fused.latent_mean[:, 2], np.array([-2, 2], np.float32))
    np.testing.assert_array_equal(fused.latent_variance[:, 2], np.array([0.5, 0.5], np.float32))
    np.testing.assert_array_equal(fused.latent_mean[:, 3], np.array([np.nan, 0.4], np.float32))
    assert np.isnan(fused.latent_mean[:, [0, 1, 4]]).all()


def test_a_joint_posterior_needs_no_pairs() -> None:
    mean = np.full((3, 5), 1 / 3, np.float32)
    mean[:, 2] = [0.2, 0.7, 0.1]
    joint = replace(posteriors(), joint_mean=mean, joint_variance=np.full(5, 0.25, np.float32))
    fused = fuse(joint, "coupling")
    np.testing.assert_allclose(fused.moments.probability[:, 1], [1, 0])
    np.testing.assert_allclose(fused.moments.probability[:, 2], [0.2, 0.7], rtol=1e-6)
    np.testing.assert_allclose(fused.moments.variance[:, 2], [0.2 * 0.8 / 5, 0.7 * 0.3 / 5], rtol=1e-5)
    np.testing.assert_allclose(fused.moments.probability[:, 3], [0, 0.5], rtol=1e-6)
    np.testing.assert_allclose(fused.latent_mean[:, 2], [0.2, 0.7], rtol=1e-6)
    assert np.isnan(fused.latent_mean[:, :2]).all()
    assert np.isnan(fused.latent_variance[0, 3])
    assert (fused.source == joint.source).all()


def test_unfitted_pairs_leave_the_prior() -> None:
    fused = fuse(replace(posteriors(), fitted=np.zeros(2, bool)), "coupling")
    np.testing.assert_allclose(fused.moments.probability[:, 2], [0.45, 0.45], rtol=1e-6)
    assert (fused.source[2:] == LabelSource.FALLBACK).all()


def test_masks_take_the_likeliest_owner_once() -> None:
    probability = np.array([[0.5, 0.2, 0.3, 0.5, 0.4], [0.5, 0.3, 0.3, 0, 0.1]])
    ignore = np.array([False, False, False, False, True])
    found = masks(probability, np.array([1, 0]), ignore)
    # a tie goes to the lower rank; background with 0.5, 0.4 and 0.5 left wins only where it is strictly likelier
    assert found.tolist() == [[False, False, False, True, False], [True, False, False, False, False]]
    assert masks(np.zeros((2, 3)), np.array([0, 1]), np.zeros(3, bool)).sum() == 0
    assert masks(np.zeros((0, 3)), np.zeros(0, np.int64), np.zeros(3, bool)).shape == (0, 3)


def test_uncertainty_is_entropy_scaled_to_one() -> None:
    probability = np.array([[0.5, 1, 1 / 3, 0.9], [0, 0, 1 / 3, 0]])
    candidate = np.array([[1, 1, 1, 1], [0, 0, 1, 0]], bool)
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1)) / np.log(2)
    np.testing.assert_allclose(uncertainty(probability, candidate), [1, 0, 1, entropy], rtol=1e-6)


def test_kinds_are_kept_apart() -> None:
    assert contested_kind(posteriors()).tolist() == [0, 0, 1, 2, 1]
