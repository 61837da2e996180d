"""Convolutions against torch's dense ones, and against what turning and moving a scene must do to them."""

from collections.abc import Callable
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv3d, conv_transpose3d

from stages.training.sparse.convolution import around, narrow, widen
from stages.training.sparse.voxels import Level, Voxels, voxelize

SIDE = 12
"""cells of a dense grid; even"""
Sparse = Callable[[Voxels, Tensor, Tensor], Tensor]


def occupied(seed: int, points: int = 500, scenes: int = 2, levels: int = 2) -> Voxels:
    """Voxels in random cells of a grid."""
    generator = torch.Generator().manual_seed(seed)
    xyz = torch.randint(SIDE, (points, 3), generator=generator) + 0.5
    # a corner, so that cells count from there
    xyz[:: points // scenes] = 0.5
    return voxelize(xyz, torch.arange(points) * scenes // points, 1.0, levels)


def dense(level: Level, feature: Tensor, side: int) -> Tensor:
    """Features on the whole grid, channels first, zero elsewhere."""
    grid = feature.new_zeros(int(level.scene.max()) + 1, side, side, side, feature.shape[1])
    return grid.index_put((level.scene, *level.coordinate.T), feature).permute(0, 4, 1, 2, 3)


def at(level: Level, grid: Tensor) -> Tensor:
    """What a grid holds at the voxels."""
    return grid.permute(0, 2, 3, 4, 1)[(level.scene, *level.coordinate.T)]


def kernel(weight: Tensor) -> Tensor:
    """As conv3d has it: outputs, inputs, x, y, z."""
    side = round(len(weight) ** (1 / 3))
    return weight.view(side, side, side, *weight.shape[1:]).permute(4, 3, 0, 1, 2)


def sparse_around(voxels: Voxels, feature: Tensor, weight: Tensor) -> Tensor:
    return around(feature, weight, voxels.levels[0])


def dense_around(voxels: Voxels, feature: Tensor, weight: Tensor) -> Tensor:
    level = voxels.levels[0]
    return at(level, conv3d(dense(level, feature, SIDE), kernel(weight), padding=1))


def sparse_narrow(voxels: Voxels, feature: Tensor, weight: Tensor) -> Tensor:
    return narrow(feature, weight, voxels.parents[0])


def dense_narrow(voxels: Voxels, feature: Tensor, weight: Tensor) -> Tensor:
    return at(voxels.levels[1], conv3d(dense(voxels.levels[0], feature, SIDE), kernel(weight), stride=2))


def sparse_widen(voxels: Voxels, feature: Tensor, weight: Tensor) -> Tensor:
    return widen(feature, weight, voxels.parents[0])


def dense_widen(voxels: Voxels, feature: Tensor, weight: Tensor) -> Tensor:
    grid = dense(voxels.levels[1], feature, SIDE // 2)
    return at(voxels.levels[0], conv_transpose3d(grid, kernel(weight).transpose(0, 1), stride=2))


KINDS: dict[str, tuple[Sparse, Sparse, int, int]] = {
    "around": (sparse_around, dense_around, 27, 0),
    "narrow": (sparse_narrow, dense_narrow, 8, 0),
    "widen": (sparse_widen, dense_widen, 8, 1),
}
"""ours, torch's, kernel offsets, level of the input"""


def values(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


def with_gradients(function: Sparse, voxels: Voxels, feature: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    result = function(voxels, feature, weight)
    upstream = values(3, *result.shape).detach().to(result.dtype)
    by_feature, by_weight = torch.autograd.grad(result, (feature, weight), upstream)
    return result.detach(), by_feature, by_weight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("points", [20, 1000])
@pytest.mark.parametrize("channels", [(1, 1), (5, 7), (32, 16)])
def test_equal_to_dense(kind: str, points: int, channels: tuple[int, int]) -> None:
    ours, torchs, offsets, level = KINDS[kind]
    voxels = occupied(points, points)
    feature, weight = values(1, len(voxels.levels[level]), channels[0]), values(2, offsets, *channels)
    found = with_gradients(ours, voxels, feature, weight)
    expected = with_gradients(torchs, voxels, feature.double(), weight.double())
    for one, other in zip(found, expected, strict=True):
        assert relative(one, other) < 1e-5


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_derivatives(kind: str) -> None:
    ours, _, offsets, level = KINDS[kind]
    voxels = occupied(0, 40)
    feature = values(1, len(voxels.levels[level]), 2, dtype=torch.float64)
    weight = values(2, offsets, 2, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda one, other: ours(voxels, one, other), (feature, weight))


def test_inputs_that_need_no_gradient_get_none() -> None:
    voxels = occupied(0)
    feature, weight = values(1, len(voxels), 3).detach(), values(2, 27, 3, 4)
    around(feature, weight, voxels.levels[0]).sum().backward()
    other = values(2, 27, 3, 4)
    around(feature.clone().requires_grad_(), other, voxels.levels[0]).sum().backward()
    assert weight.grad is not None
    assert torch.equal(weight.grad, other.grad)  # type: ignore[arg-type]


def test_layers_of_one_level_do_not_disturb_each_other() -> None:
    """They share one buffer of products."""
    level = occupied(0).levels[0]
    feature, first, second = values(1, len(level), 3), values(2, 27, 3, 8), values(3, 27, 8, 2)
    inner = around(feature, first, level)
    kept = inner.detach().clone()
    around(inner, second, level).square().sum().backward()
    assert torch.equal(inner, kept)
    expected = feature.grad
    feature.grad = None
    fresh, again = occupied(0).levels[0], occupied(0).levels[0]
    around(around(feature, first, fresh), second, again).square().sum().backward()
    assert torch.equal(feature.grad, expected)  # type: ignore[arg-type]


def test_scenes_do_not_mix() -> None:
    voxels = occupied(0, scenes=3)
    level = voxels.levels[0]
    feature = values(1, len(level), 4)
    result = around(feature, values(2, 27, 4, 4), level)
    (gradient,) = torch.autograd.grad(result[level.scene == 1].sum(), feature)
    assert (gradient[level.scene != 1] == 0).all()
    assert (gradient[level.scene == 1] != 0).any()


def _quarter(cell: Tensor) -> Tensor:
    """A quarter turn about z, of offsets or of cells around the origin."""
    return torch.stack([-cell[:, 1], cell[:, 0], cell[:, 2]], dim=1)


@pytest.mark.parametrize("side", [2, 3])
def test_turning_scene_and_kernel_changes_nothing(side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    # an odd number of cells about the origin for kernels about a voxel, an even one for kernels about a corner
    cells = torch.randint(SIDE, (400, 3), generator=generator) - (SIDE - 1) / 2
    cells[:2] = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]) * (SIDE - 1) / 2
    scene = torch.zeros(400, dtype=torch.int64)
    one, other = voxelize(cells, scene, 1.0, 2), voxelize(_quarter(cells), scene, 1.0, 2)
    offsets = torch.tensor(list(product(range(side), repeat=3))) - (side - 1) / 2
    turned = _quarter(offsets) + (side - 1) / 2
    place = (turned @ torch.tensor([side**2, side, 1.0])).long()
    weight = values(2, side**3, 3, 4).detach()
    weight_turned = torch.empty_like(weight)
    weight_turned[place] = weight
    of_point = values(1, 400, 3).detach()
    if side == 3:
        before = around(one.mean(of_point), weight, one.levels[0])[one.of_point]
        after = around(other.mean(of_point), weight_turned, other.levels[0])[other.of_point]
    else:
        before = narrow(one.mean(of_point), weight, one.parents[0])[_parent_of_point(one)]
        after = narrow(other.mean(of_point), weight_turned, other.parents[0])[_parent_of_point(other)]
    assert relative(after, before) < 1e-5


def _parent_of_point(voxels: Voxels) -> Tensor:
    parents = voxels.parents[0]
    return parents.parent[parents.row.long()[voxels.of_point]].long()


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_voxel(kind: str) -> None:
    ours, torchs, offsets, _ = KINDS[kind]
    voxels = voxelize(torch.full((1, 3), 0.5), torch.zeros(1, dtype=torch.int64), 1.0, 2)
    feature, weight = values(1, 1, 3), values(2, offsets, 3, 4)
    for one, other in zip(
        with_gradients(ours, voxels, feature, weight), with_gradients(torchs, voxels, feature, weight), strict=True
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", KINDS)
def test_autocast(kind: str) -> None:
    """In half the bits, near what 32 bits give; gradients of weights have the weights' type."""
    ours, _, offsets, level = KINDS[kind]
    voxels = occupied(0, 1000)
    feature, weight = values(1, len(voxels.levels[level]), 8), values(2, offsets, 8, 8)
    expected = with_gradients(ours, voxels, feature, weight)
    with torch.autocast("cpu", torch.bfloat16):
        found = with_gradients(ours, voxels, feature, weight)
    assert [one.dtype for one in found] == [torch.bfloat16, torch.float32, torch.float32]
    for one, other in zip(found, expected, strict=True):
        assert relative(one.float(), other) < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_to_the_bit(kind: str) -> None:
    ours, _, offsets, level = KINDS[kind]
    voxels = occupied(0, 1000)
    feature, weight = values(1, len(voxels.levels[level]), 16), values(2, offsets, 16, 16)
    first, *others = (with_gradients(ours, voxels, feature, weight) for _ in range(3))
    for other in others:
        assert all(torch.equal(*both) for both in zip(first, other, strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equal_on_a_gpu(kind: str, dtype: torch.dtype) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    ours, _, offsets, level = KINDS[kind]
    generator = torch.Generator().manual_seed(0)
    xyz, scene = SIDE * torch.rand(4000, 3, generator=generator), torch.arange(4000) // 2000
    here, there = voxelize(xyz, scene, 1.0, 2), voxelize(xyz.cuda(), scene.cuda(), 1.0, 2)
    feature, weight = values(1, len(here.levels[level]), 16), values(2, offsets, 16, 16)
    expected = with_gradients(ours, here, feature, weight)
    on_gpu = [one.detach().to("cuda", dtype).requires_grad_() for one in (feature, weight)]
    result = ours(there, *on_gpu)
    upstream = values(3, *result.shape).detach().to("cuda", dtype)
    found = (result, *torch.autograd.grad(result, on_gpu, upstream))
    for one, other in zip(found, expected, strict=True):
        assert relative(one.detach().cpu().float(), other) < (1e-4 if dtype is torch.float32 else 0.03)
