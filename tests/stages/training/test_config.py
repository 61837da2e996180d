from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config import load_config
from pipeline.errors import ConfigurationError
from stages.training.augment import Augmentation
from stages.training.config import AugmentationConfig, TrainingConfig
from stages.training.loop import Settings
from stages.training.stage import Training


def load(folder: Path, **section: Any) -> TrainingConfig:
    """The section of a file."""
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump({"training": section}))
    found = load_config(str(path), [], [Training]).sections["training"]
    assert isinstance(found, TrainingConfig)
    return found


def test_defaults_train_nothing(tmp_path: Path) -> None:
    assert load(tmp_path) == TrainingConfig()
    assert TrainingConfig().network is None


def test_defaults_are_those_of_the_mathematics() -> None:
    assert AugmentationConfig().model_dump() == {one.name: one.default for one in fields(Augmentation)}
    config = TrainingConfig()
    for one in fields(Settings):
        if one.name not in {"steps", "seed", "checkpoint_every"}:
            assert getattr(config, one.name) == one.default, one.name


@pytest.mark.parametrize("name", ["spformer", "pointgroup", "stages.training.networks.spformer:Spformer"])
def test_networks_by_name(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, network=name, options={"anything": 3}).network == name


def test_a_file_counts_from_the_one_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    config = load(tmp_path, network="./nets/net.py:Net")
    assert config.network == tmp_path / "nets" / "net.py:Net"
    assert config.model_dump(mode="json")["network"] == f"{tmp_path}/nets/net.py:Net"
    assert load(tmp_path, network=str(config.network)) == config
    assert Training(config).files("dataset") == (tmp_path / "nets" / "net.py",)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"network": "spformr"}, r"training\.network.*no network 'spformr'; did you mean spformer"),
        ({"network": "nopackage.net:Net"}, r"training\.network.*no module nopackage\.net"),
        ({"network": 3}, r"training\.network"),
        ({"steps": 0}, r"training\.steps"),
        ({"sheduler": "cosine"}, r"training\.sheduler.*schedule"),
        ({"augmentation": {"rotation": 270}}, r"training\.augmentation\.rotation"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, section: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load(tmp_path, **section)
