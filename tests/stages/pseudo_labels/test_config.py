"""Labels from files or from posteriors."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import ConfigurationError
from stages.features.stage import Features
from stages.posteriors.stage import Posteriors
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.stage import PseudoLabels


def test_given_labels_need_no_posteriors(tmp_path: Path) -> None:
    for stage in (Features, Posteriors):
        assert stage.left_out({"pseudo_labels": PseudoLabelsConfig()}) is None
        why = stage.left_out({"pseudo_labels": PseudoLabelsConfig(path=tmp_path)})
        assert why is not None
        assert "pseudo_labels.path" in why


def test_regions_of_no_labels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"set that as well, or superpoints\.path"):
        PseudoLabelsConfig(superpoints=tmp_path)


@pytest.mark.parametrize("name", ["path", "superpoints"])
def test_folders_have_to_exist(name: str, tmp_path: Path) -> None:
    PseudoLabels(PseudoLabelsConfig()).check()
    config = PseudoLabelsConfig(path=tmp_path, superpoints=tmp_path)
    PseudoLabels(config).check()
    with pytest.raises(ConfigurationError, match=rf"pseudo_labels\.{name}: .*nowhere is no folder"):
        PseudoLabels(config.model_copy(update={name: tmp_path / "nowhere"})).check()


def test_where_files_lie_does_not_decide_the_bytes() -> None:
    assert {"path", "superpoints", "trust_pickle"} == set(PseudoLabels.unfingerprinted)
