"""Both networks are one network; what is timed is what is printed."""

import json
import warnings

import pytest
import torch

from benchmarks import convolution
from benchmarks.convolution import LEVELS, VOXEL, Positions, compared, grown, on_open3d, part, rendered
from benchmarks.tables import machine
from stages.training.sparse.unet import UNet
from stages.training.sparse.voxels import voxelize


def points(count: int = 3000) -> convolution.Points:
    xyz = torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([2.0, 1.5, 0.1])
    return xyz, torch.arange(count) * 2 // count


def has_open3d() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import open3d.ml.torch  # noqa: F401
        except Exception:  # noqa: BLE001 (whatever keeps it from loading here)
            return False
    return True


def test_a_part_has_exactly_so_many_voxels() -> None:
    xyz, scene = part(points(), 700)
    assert len(voxelize(xyz, scene, VOXEL, 1)) == 700


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not has_open3d(), reason="open3d.ml.torch does not load")
def test_open3d_gives_the_same_outputs_and_gradients() -> None:
    voxels = voxelize(*points(), VOXEL, LEVELS)
    assert voxels.levels[0].scene.max() == 1
    torch.manual_seed(0)
    ours = UNet(convolution.INPUTS, (4, 6, 8, 8))
    feature = convolution.inputs_of(voxels)
    expected = ours(voxels, feature)
    expected.square().mean().backward()
    for keep in (False, True):
        theirs = on_open3d(ours, Positions(voxels), keep=keep)
        theirs.zero_grad()
        found = theirs(voxels, feature)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        found.square().mean().backward()
        gradient = dict(theirs.named_parameters())["stem_norm.weight"].grad
        torch.testing.assert_close(gradient, ours.stem_norm.weight.grad, atol=1e-4, rtol=1e-3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(not has_open3d(), reason="open3d.ml.torch does not load")
def test_rendered() -> None:
    both = compared(points(), 300, 1)
    assert [row["voxels"] for row in both] == [300] * 3
    content = {"device": "cpu", "compared": both, "grown": grown(points(), (200, 400), "cpu", 1)}
    text = rendered(json.loads(json.dumps({"machine": machine(), **content})))
    assert "| ours |" in text
    assert "| 400 |" in text
