"""Labels of real scans for the tests of all formats."""

from functools import cache
from pathlib import Path

import pytest

from stages.export.scene import LabelledScene
from stages.scenes.config import FolderConfig
from tests.stages.export.labelled import RealLabelled, label, stored


@pytest.fixture(scope="session")
def real_labelled(real_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> RealLabelled:
    """Labels a real scan by name, each once."""

    @cache
    def labelled(scene: str) -> LabelledScene:
        run = tmp_path_factory.mktemp("real")
        label(FolderConfig(source="folder", path=real_scans), run, scene)
        return stored(run, scene, "train", normals=True)

    return labelled
