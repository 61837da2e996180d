"""Parts that formats share: what lies beside, ids at points, lines of the truth, pickles."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

from pipeline.errors import SceneError
from stages.export.parts import (
    beside,
    class_at_points,
    colors,
    frame_facts,
    frame_of,
    left_out,
    near_xyz,
    nyu40_at_points,
    object_at_points,
    pickle_bytes,
    truth_lines,
)
from tests.stages.export.formats.folders import far_away
from tests.stages.export.labelled import (
    renamed_classes,
    small_room,
    unaligned,
    with_ignored,
    with_nan,
    without_boxes,
    without_classes,
    without_colors,
)


def test_beside_each_point_are_the_moments_of_its_own_label() -> None:
    labelled = with_nan(small_room())
    labels, found = labelled.labels, beside(labelled)
    region = labels.superpoint[labelled.kept]
    owner = np.where(labels.mask.any(axis=0), labels.mask.argmax(axis=0), -1)[region]
    owned = owner >= 0
    assert 0 < owned.sum() < len(owned)
    for name in ("probability", "mean", "variance"):
        values = getattr(labels, name)
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name][owned], values[owner[owned], region[owned]])
    rest = region[~owned]
    np.testing.assert_allclose(found["probability"][~owned], 1 - labels.probability[:, rest].sum(axis=0), atol=1e-6)
    np.testing.assert_array_equal(found["variance"][~owned], labels.variance[:, rest].max(axis=0))
    np.testing.assert_array_equal(found["uncertainty"], labels.uncertainty[region])
    np.testing.assert_array_equal(found["source"], labels.source[region])


def test_background_is_sure_where_nothing_is_annotated() -> None:
    found = beside(without_boxes(small_room()))
    assert (found["probability"] == 1).all()
    assert (found["variance"] == 0).all()


def test_kept_points_are_told_where_some_are_lost() -> None:
    assert left_out(small_room()) == {}
    labelled = with_nan(small_room())
    ((name, content),) = left_out(labelled).items()
    assert name == f"kept_points/{labelled.name}.npy"
    np.testing.assert_array_equal(np.load(io.BytesIO(content)), labelled.kept)


def test_colors_are_those_of_the_scan_or_refused() -> None:
    labelled = with_nan(small_room())
    assert labelled.scene.rgb is not None
    np.testing.assert_array_equal(colors(labelled), labelled.scene.rgb[labelled.kept])
    with pytest.raises(SceneError, match="add `rgb` to the scan"):
        colors(without_colors(labelled))


def test_the_frame_has_a_name() -> None:
    assert frame_of(small_room()) == "input"
    assert frame_of(unaligned(small_room())) == "input (axis alignment undone)"


def test_only_scans_far_away_are_shifted() -> None:
    near = small_room()
    xyz, shift = near_xyz(near)
    np.testing.assert_array_equal(xyz, near.scene.xyz)
    assert frame_facts(near, shift) == {"coords": "input"}
    far = far_away(near)
    xyz, shift = near_xyz(far)
    np.testing.assert_allclose(xyz, far.scene.xyz, rtol=0, atol=1e-6)
    assert frame_facts(far, shift) == {"coords": "input, minus shift", "shift": far.scene.offset.tolist()}


def test_ids_at_points() -> None:
    labelled = with_ignored(renamed_classes(small_room()))
    class_id, owner = class_at_points(labelled, [7, 8, 9], background=1, ignored=0), object_at_points(labelled)
    ignored = labelled.labels.ignore[labelled.labels.superpoint]
    assert (class_id[ignored] == 0).all()
    assert (class_id[(owner < 0) & ~ignored] == 1).all()
    owned = owner >= 0
    np.testing.assert_array_equal(class_id[owned], 7 + labelled.labels.boxes.class_index[owner[owned]])
    assert (owner[ignored] == -1).all()
    np.testing.assert_array_equal(nyu40_at_points(labelled)[owned], class_id[owned] - 4)


def test_objects_without_a_class_are_refused() -> None:
    with pytest.raises(SceneError, match="have no class"):
        nyu40_at_points(without_classes(small_room()))


def test_lines_of_the_truth() -> None:
    class_id, owner = np.array([39, 1, 0, 5]), np.array([0, -1, -1, 41])
    assert truth_lines(small_room(), class_id, owner) == b"39001\n1000\n0\n5042\n"


def test_pickles_depend_on_values_alone() -> None:
    text = "".join(["a ", "word"])
    shared, apart = {"x": [text, text], "y": 0.1}, {"x": [text, "".join(["a ", "word"])], "y": 0.1}
    assert pickle.dumps(shared) != pickle.dumps(apart)
    assert pickle_bytes(shared) == pickle_bytes(apart)
    assert pickle.loads(pickle_bytes(shared)) == shared
