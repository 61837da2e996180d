from __future__ import annotations

import numpy as np
import pytest

from stages.scenes.rooms.scanner import FULL_DENSITY_DISTANCE, Hits, cast, measure, thin, unit_normals
from stages.scenes.rooms.shapes import cuboid, cushion, cylinder, join

PAINT = np.zeros(7)


def plane(half: float, z: float) -> np.ndarray:
    """The horizontal square |x|, |y| <= half at height z."""
    return cuboid((-half, -half, z), (half, half, z + 1), PAINT, ("-x", "+x", "-y", "+y", "+z")).triangles


def points(hits: Hits, origin: np.ndarray) -> np.ndarray:
    return np.asarray(origin + hits.direction * hits.distance[:, None])


def test_hits_lie_on_their_triangles() -> None:
    mesh = join([cuboid((1.0, 1.0, 0.0), (2.0, 3.0, 1.0), PAINT), cylinder((-1.0, 0.5, 0.0), 0.4, 1.2, PAINT)])
    origin = np.array([0.1, -0.2, 0.7])
    hits = cast(mesh.triangles, origin, 40, np.random.default_rng(0))
    corners = mesh.triangles[hits.triangle]
    weights = np.linalg.solve(corners.transpose(0, 2, 1), points(hits, origin)[..., None])[..., 0]
    np.testing.assert_allclose(np.linalg.norm(hits.direction, axis=1), 1)
    np.testing.assert_allclose(np.einsum("hc,hcd->hd", weights, corners), points(hits, origin), atol=1e-9)
    assert len(hits.distance) > 100
    offset = points(hits, origin) - corners[:, 0]
    distance = (offset * unit_normals(mesh.triangles)[hits.triangle]).sum(axis=1)
    np.testing.assert_allclose(distance, 0, atol=1e-9)


def test_closed_surface_around_the_scanner_is_hit_once_by_every_ray_uniformly_over_the_sphere() -> None:
    ball = cushion((0.0, 0.0, -2.0), (4.0, 4.0, 4.0), PAINT, roundness=1.0).triangles
    hits = cast(ball, np.array([0.3, 0.2, -0.1]), 60, np.random.default_rng(1))
    assert len(hits.distance) == pytest.approx(6 * 60**2 * 4 * np.pi / 6 / (np.pi / 2) ** 2, rel=0.02)
    np.testing.assert_allclose(hits.direction.mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(hits.direction.T @ hits.direction / len(hits.direction), np.eye(3) / 3, atol=0.01)


def test_points_fall_off_as_cosine_over_squared_distance() -> None:
    height, outer = 2.5, 8.0
    floor = plane(12.0, -height)
    hits = cast(floor, np.zeros(3), 220, np.random.default_rng(2))
    kept = thin(hits, unit_normals(floor), np.random.default_rng(3))
    radius = np.linalg.norm(points(kept, np.zeros(3))[:, :2], axis=1)
    radius = radius[radius < outer]
    assert len(radius) > 20_000
    for inner in (1.0, 2.0, 4.0):  # the share of a cone's solid angle; nothing here is near enough to be thinned
        share = (1 - height / np.hypot(height, inner)) / (1 - height / np.hypot(height, outer))
        assert np.mean(radius < inner) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(radius)))


def test_near_surfaces_are_thinned_to_an_even_density() -> None:
    height = 0.5
    floor = plane(3.0, -height)
    hits = cast(floor, np.zeros(3), 250, np.random.default_rng(4))
    kept = thin(hits, unit_normals(floor), np.random.default_rng(5))
    # height / (height² + radius²)^(3/2) reaches the density of FULL_DENSITY_DISTANCE at this radius
    even = np.sqrt((height * FULL_DENSITY_DISTANCE**2) ** (2 / 3) - height**2)
    radius = np.linalg.norm(points(kept, np.zeros(3))[:, :2], axis=1)
    inside = radius[radius < even]
    assert len(inside) > 1000
    np.testing.assert_allclose(
        np.histogram((inside / even) ** 2, bins=5, range=(0, 1))[0] / len(inside),
        0.2,
        atol=4 * 0.4 / len(inside) ** 0.5,
    )


def test_nothing_behind_a_wall_is_seen_unless_occlusion_is_off() -> None:
    screen = cuboid((1.0, -5.0, -5.0), (1.1, 5.0, 5.0), PAINT)
    hidden = cuboid((3.0, -0.5, -0.5), (4.0, 0.5, 0.5), PAINT)
    triangles = join([screen, hidden]).triangles
    seen = cast(triangles, np.zeros(3), 50, np.random.default_rng(6))
    assert set(seen.triangle // 12) == {0}
    assert points(seen, np.zeros(3))[:, 0].max() < 1 + 1e-9
    through = cast(triangles, np.zeros(3), 50, np.random.default_rng(6), occlusion=False)
    assert set(through.triangle // 12) == {0, 1}
    backs = points(through, np.zeros(3))[through.triangle // 12 == 1][:, 0]
    assert np.isclose(backs, 4).any()


def test_undersides_and_backs_of_a_box_stay_unseen() -> None:
    box = cuboid((1.0, -0.5, 0.0), (2.0, 0.5, 1.0), PAINT)
    found = points(
        cast(box.triangles, np.array([0.0, 0.0, 2.0]), 60, np.random.default_rng(7)), np.array([0.0, 0.0, 2.0])
    )
    on_front, on_top = np.isclose(found[:, 0], 1), np.isclose(found[:, 2], 1)
    assert (on_front | on_top).all()
    assert on_front.any()
    assert on_top.any()


def test_noise_is_along_the_ray_and_a_third_of_it_sideways() -> None:
    count, noise = 40_000, 0.01
    direction = np.tile([0.6, 0.0, 0.8], (count, 1))
    hits = Hits(np.zeros(count, np.int64), direction, np.full(count, 5.0))
    measured = measure([hits], np.zeros((1, 3)), noise, 0.0, np.random.default_rng(8))
    along = measured.xyz @ direction[0] - 5
    across = measured.xyz[:, 1]
    assert along.mean() == pytest.approx(0, abs=4 * noise / count**0.5)
    assert along.std() == pytest.approx(noise * np.sqrt(1 + 1 / 9), rel=0.02)
    assert across.std() == pytest.approx(noise / 3, rel=0.02)
    np.testing.assert_array_equal(measured.triangle, 0)


def test_stray_points_are_of_no_triangle_and_lie_before_the_surface() -> None:
    count = 20_000
    hits = Hits(np.zeros(count, np.int64), np.tile([1.0, 0.0, 0.0], (count, 1)), np.full(count, 5.0))
    measured = measure([hits], np.zeros((1, 3)), 0.0, 0.1, np.random.default_rng(9))
    stray = measured.triangle == -1
    assert stray.mean() == pytest.approx(0.1, abs=0.01)
    assert measured.xyz[stray, 0].min() >= 1.5
    assert measured.xyz[stray, 0].max() <= 5
    np.testing.assert_array_equal(measured.xyz[~stray, 0], 5)


def test_each_point_knows_its_scanner() -> None:
    one = Hits(np.zeros(2, np.int64), np.tile([1.0, 0.0, 0.0], (2, 1)), np.ones(2))
    origins = np.array([[0.0, 0.0, 0.0], [0.0, 7.0, 0.0]])
    measured = measure([one, one], origins, 0.0, 0.0, np.random.default_rng(10))
    np.testing.assert_array_equal(measured.scanner, [0, 0, 1, 1])
    np.testing.assert_allclose(measured.xyz[:, 1], [0, 0, 7, 7])
