"""The pseudo_labels stage from stored inputs to its stored result."""

from pathlib import Path

import pytest

from pipeline.stage import SceneJob
from pipeline.store import commit, read_arrays
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.stage import PseudoLabels
from stages.structures import LabelSource
from tests.stages.posteriors.test_stage import job_of, run
from tests.stages.scenery import two_objects


@pytest.mark.parametrize("engine", ["graph", "smallest_box"])
def test_statistics_count_the_regions_of_each_source(engine: str, tmp_path: Path) -> None:
    job = job_of(two_objects(points=1500), tmp_path)
    commit(tmp_path / "posteriors", run(job, engine=engine), {"fingerprint": engine})
    inputs = {**job.inputs, "posteriors": tmp_path / "posteriors"}
    result = PseudoLabels(PseudoLabelsConfig()).run_scene(SceneJob(job.scene, inputs))
    commit(tmp_path / "labels", result, {"fingerprint": "labels"})
    source = read_arrays(tmp_path / "labels")[0]["source"]
    assert result.statistics == {f"regions_by_source/{one.name.lower()}": (source == one).sum() for one in LabelSource}
    assert sum(result.statistics.values()) == len(source) > 0
