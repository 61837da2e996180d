"""The examples do what their documents say."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
import torch

from stages.inference.predict import predict
from stages.scenes.rooms_config import RoomsConfig
from stages.training.accelerator import OneDevice
from stages.training.batch import collate
from stages.training.checkpoint import Checkpoints
from stages.training.loop import train
from stages.training.networks.load import build_network, network_version
from tests.stages.export.labelled import label
from tests.stages.training.toy_rooms import CLASSES
from tests.stages.training.toy_training import toy_scenes, toy_settings, toy_work

ROOT = Path(__file__).parent.parent
OWN_NETWORK = "./examples/own_network.py:RegionMlp"


def test_own_network_is_short() -> None:
    assert len((ROOT / "examples" / "own_network.py").read_text().splitlines()) < 80


def test_own_network_trains_like_any_other(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_network(OWN_NETWORK, CLASSES, {"width": 32}, ROOT)
    settings = toy_settings(80, learning_rate=0.01, checkpoint_every=80, validate_every=80)
    done = train(network, toy_scenes(), settings, toy_work(), OneDevice(torch.device("cpu")), Checkpoints(tmp_path, {}))
    losses = [record["train"]["loss"] for record in done.history]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    scene = toy_scenes()[0]
    found = predict(network, collate([scene]), torch.Generator())[0]
    assert scene.labels is not None
    overlap = torch.from_numpy(found.mask)[:, None] & scene.labels.mask
    union = torch.from_numpy(found.mask)[:, None] | scene.labels.mask
    assert ((overlap.sum(dim=2) / union.sum(dim=2)).amax(dim=0) > 0.7).all()


def test_own_network_has_a_version() -> None:
    assert len(network_version(OWN_NETWORK, ROOT)) == 64


def test_a_network_outside_boxgp_trains_on_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = ROOT / "examples" / "train_on_labels.py"
    source = path.read_text()
    assert len(source.splitlines()) < 80
    assert "stages" not in source  # the public import is enough
    for scene in ("room_0000", "room_0001"):
        label(RoomsConfig(count=2, points=1500), tmp_path, scene)
    (tmp_path / "config.yaml").touch()
    spec = spec_from_file_location("train_on_labels", path)
    assert spec is not None
    assert spec.loader is not None
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    with torch.random.fork_rng():
        history = example.train(str(tmp_path), steps=40)
    (first, before), *_, (last, after) = history
    assert last < 0.5 * first
    assert after > before + 0.1
    assert capsys.readouterr().out.count("IoU") == len(history) == 11
