"""Voxels and their tables against what a loop over all pairs finds."""

import pytest
import torch
from torch import Tensor

from stages.training.sparse.voxels import Level, Voxels, voxelize

OFFSETS = [(x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1)]


def cloud(seed: int, points: int, scenes: int = 1, side: float = 6.0) -> tuple[Tensor, Tensor]:
    """Points in random cells of 1 m around the origin."""
    generator = torch.Generator().manual_seed(seed)
    xyz = side * (torch.rand(points, 3, generator=generator) - 0.5)
    return xyz, torch.randint(scenes, (points,), generator=generator).sort().values


def pairs_by_looking(level: Level) -> set[tuple[int, int, int]]:
    """Offset, voxel and neighbour there, of all pairs."""
    place = {(scene, *cell): row for row, (scene, cell) in enumerate(zip(*_lists(level), strict=True))}
    found = set()
    for (scene, *cell), row in place.items():
        for number, offset in enumerate(OFFSETS):
            there = place.get((scene, *(one + step for one, step in zip(cell, offset, strict=True))))
            if there is not None and number != 13:
                found.add((number, row, there))
    return found


def _lists(level: Level) -> tuple[list[int], list[list[int]]]:
    return level.scene.tolist(), level.coordinate.tolist()


def pairs_of_tables(level: Level) -> list[tuple[int, int, int]]:
    found = []
    table = level.neighbours
    for number, (lower, upper) in enumerate(zip(table.lower, table.upper, strict=True), start=1):
        for one, other in torch.stack([lower, upper], dim=1).tolist():
            found += [(13 + number, one, other), (13 - number, other, one)]
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("points", [1, 9, 60, 200])
@pytest.mark.parametrize("scenes", [1, 3])
def test_every_pair_of_neighbours_is_found_once_at_every_level(seed: int, points: int, scenes: int) -> None:
    voxels = voxelize(*cloud(seed, points, scenes), 0.8, 3)
    for level in voxels.levels:
        found = pairs_of_tables(level)
        assert len(found) == len(set(found))
        assert set(found) == pairs_by_looking(level)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("points", [1, 9, 60, 200])
@pytest.mark.parametrize("scenes", [1, 3])
def test_bags_list_the_rows_that_belong_to_each_voxel(seed: int, points: int, scenes: int) -> None:
    voxels = voxelize(*cloud(seed, points, scenes), 0.8, 3)
    for level in voxels.levels:
        table = level.neighbours
        ends = [torch.cat([lower, upper]) for lower, upper in zip(table.lower, table.upper, strict=True)]
        voxel_of_row = torch.cat(ends)
        for voxel in range(len(level)):
            own = table.bags.row[table.bags.bound[voxel] : table.bags.bound[voxel + 1]]
            assert own.tolist() == (voxel_of_row == voxel).nonzero()[:, 0].tolist()
    for parents, fine, coarse in zip(voxels.parents, voxels.levels, voxels.levels[1:], strict=False):
        for parent in range(len(coarse)):
            rows = parents.bags.row[parents.bags.bound[parent] : parents.bags.bound[parent + 1]].long()
            children = parents.child[rows].long()
            assert (fine.coordinate[children] >> 1 == coarse.coordinate[parent]).all()
            assert (fine.scene[children] == coarse.scene[parent]).all()
            assert (parents.parent[rows] == parent).all()


def test_points_and_children_lie_in_their_voxels() -> None:
    xyz, scene = cloud(0, 500, 2)
    voxels = voxelize(xyz, scene, 0.5, 4)
    finest = voxels.levels[0]
    cell = torch.floor(xyz / 0.5).long()
    lowest = torch.stack([cell[scene == one].amin(dim=0) for one in range(2)])
    assert torch.equal(finest.coordinate[voxels.of_point], cell - lowest[scene])
    assert torch.equal(finest.scene[voxels.of_point], scene)
    assert torch.equal(voxels.points, torch.bincount(voxels.of_point))
    for parents, fine, coarse in zip(voxels.parents, voxels.levels, voxels.levels[1:], strict=False):
        child, parent = parents.child.long(), parents.parent.long()
        assert torch.equal(fine.coordinate[child] >> 1, coarse.coordinate[parent])
        assert torch.equal(child[parents.row.long()], torch.arange(len(fine)))
        places = torch.repeat_interleave(torch.arange(8), torch.tensor(parents.counts))
        bits = torch.stack([places >> 2 & 1, places >> 1 & 1, places & 1], dim=1)
        assert torch.equal(fine.coordinate[child] & 1, bits)


def test_order_of_points_does_not_matter() -> None:
    xyz, scene = cloud(1, 300)
    order = torch.randperm(300, generator=torch.Generator().manual_seed(0))
    one, other = voxelize(xyz, scene, 0.5, 3), voxelize(xyz[order], scene, 0.5, 3)
    assert torch.equal(one.of_point[order], other.of_point)
    for before, after in zip(one.levels, other.levels, strict=True):
        assert torch.equal(before.coordinate, after.coordinate)
        assert torch.equal(before.neighbours.bags.row, after.neighbours.bags.row)


def test_a_scene_has_the_voxels_that_it_has_alone() -> None:
    xyz, scene = cloud(2, 400, 3)
    together = voxelize(xyz, scene, 0.5, 3)
    for number in range(3):
        alone = voxelize(xyz[scene == number], scene[scene == number] * 0, 0.5, 3)
        for every, own in zip(together.levels, alone.levels, strict=True):
            assert torch.equal(every.coordinate[every.scene == number], own.coordinate)


@pytest.mark.parametrize("shift", [-1e6, -37.0, 0.0, 12345.0, 1e9])
def test_place_does_not_matter(shift: float) -> None:
    xyz, scene = cloud(3, 300)
    one, other = voxelize(xyz.double(), scene, 0.5, 3), voxelize(xyz.double() + shift, scene, 0.5, 3)
    for before, after in zip(one.levels, other.levels, strict=True):
        assert torch.equal(before.coordinate, after.coordinate)
        assert torch.equal(before.neighbours.bags.row, after.neighbours.bags.row)


def test_opposite_ends_are_no_neighbours() -> None:
    """The last voxel of a row and the first of the next have keys one apart if no key is left between them."""
    cells = [(x, y, z) for x in (0, 3) for y in (0, 3) for z in (0, 3)]
    xyz = torch.tensor(cells, dtype=torch.float32).repeat(2, 1) + 0.5
    level = voxelize(xyz, torch.arange(2).repeat_interleave(8), 1.0, 1).levels[0]
    assert len(level) == 16
    assert len(level.neighbours.bags.row) == 0


def test_far_points_of_a_large_scene_are_told_apart() -> None:
    far = torch.tensor([[0.0, 0.0, 0.0], [2e5, -2e5, 2e4], [2e5, -2e5, 2e4 + 0.1]], dtype=torch.float64) + 0.02
    voxels = voxelize(far, torch.zeros(3, dtype=torch.int64), 0.1, 2)
    assert len(voxels) == 3
    assert pairs_of_tables(voxels.levels[0]) == [(14, 1, 2), (12, 2, 1)]


@pytest.mark.parametrize("far", [1e8, 1e30])
def test_scenes_too_large_for_keys_are_refused(far: float) -> None:
    xyz = torch.tensor([[0.0, 0.0, 0.0], [far, far, far]])
    with pytest.raises(ValueError, match=r"points spread over .* m, too far for voxels of 0.05 m: remove stray points"):
        voxelize(xyz, torch.zeros(2, dtype=torch.int64), 0.05, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_coordinates_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        voxelize(torch.tensor([[0.0, 0.0, value]]), torch.zeros(1, dtype=torch.int64), 0.05, 4)


def test_one_point() -> None:
    voxels = voxelize(torch.tensor([[-3.0, 4.0, 5.0]]), torch.zeros(1, dtype=torch.int64), 0.05, 4)
    assert [len(level) for level in voxels.levels] == [1, 1, 1, 1]
    assert all(len(level.neighbours.bags.row) == 0 for level in voxels.levels)


def test_mean_over_the_points_of_a_voxel() -> None:
    xyz, scene = cloud(4, 200)
    voxels: Voxels = voxelize(xyz, scene, 1.0, 1)
    mean = voxels.mean(xyz)
    for voxel in range(len(voxels)):
        torch.testing.assert_close(mean[voxel], xyz[voxels.of_point == voxel].mean(dim=0))
