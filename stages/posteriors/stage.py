"""The posteriors stage: who owns each region, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import ConfigurationError, SceneError, StoreError
from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.posteriors.config import PosteriorsConfig
from stages.pseudo_labels.config import labels_given

if TYPE_CHECKING:
    import numpy as np

    from stages.posteriors.engines.base import Engine, PairSolution
    from stages.posteriors.infer import Prepared
    from stages.posteriors.problems import Pair
    from stages.typing import Int32


class Posteriors(SceneStage):
    """Decides determined regions and computes the posteriors of contested ones."""

    name = "posteriors"
    version = 2
    Config: ClassVar[type[StageConfig]] = PosteriorsConfig
    inputs = ("scenes", "superpoints", "features")
    earlier = ("inference",)
    only_later = ("network_weight",)
    run_files = ("corrections/{scene}.json",)
    config: PosteriorsConfig

    @classmethod
    def left_out(cls, sections: Mapping[str, Any]) -> str | None:
        """Labels that come from files need no posteriors."""
        return labels_given(sections)

    def run(self, jobs: Sequence[SceneJob]) -> Iterator[tuple[str, Result | Exception]]:
        """Each scene by itself; on an accelerator, the pairs of all of them together.

        Raises ConfigurationError where ``device`` names an accelerator that this machine does not have.
        """
        if self.config.device == "cpu":
            yield from super().run(jobs)
            return
        _check_device(self.config.device)
        engine = self._engine()
        prepared: list[tuple[Prepared, list[Pair]]] = []
        for job in jobs:
            try:
                prepared.append(self._prepare(job, engine))
            except Exception as error:  # noqa: BLE001 (whatever it is, the other scenes go on)
                yield job.scene, error
        from stages.posteriors.infer import solve_pairs

        solutions = solve_pairs([pairs for _, pairs in prepared], engine)
        for (scene, pairs), solved in zip(prepared, solutions, strict=True):
            try:
                yield scene.view.scene.scene, self._result(scene, engine, pairs, solved)
            except Exception as error:  # noqa: BLE001
                yield scene.view.scene.scene, error

    def run_scene(self, job: SceneJob) -> Result:
        """The posteriors of one scene; raises SceneError where the scene lacks what the configuration asks for."""
        from stages.posteriors.infer import solve_pairs

        engine = self._engine()
        prepared, pairs = self._prepare(job, engine)
        (solutions,) = solve_pairs([pairs], engine)
        return self._result(prepared, engine, pairs, solutions)

    def _prepare(self, job: SceneJob, engine: Engine | None) -> tuple[Prepared, list[Pair]]:
        """One scene up to the point where an engine takes over, and its pairs for an engine of pairs."""
        from stages.posteriors.infer import prepare
        from stages.stores import read_features, read_predictions, read_scene, read_superpoints

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        features = read_features(job.inputs["features"])
        predictions = read_predictions(job.inputs["inference"]) if "inference" in job.inputs else None
        said = _said(job, len(superpoints), len(scene.boxes))
        with _blaming(scene.scene):
            prepared = prepare(scene, superpoints, self.config, predictions, said)
        return prepared, [] if engine is None else prepared.pairs(features, self.config)

    def _result(
        self,
        prepared: Prepared,
        engine: Engine | None,
        pairs: Sequence[Pair],
        solutions: Sequence[PairSolution | None],
    ) -> Result:
        """What is stored of one scene, with statistics and a warning if posteriors failed."""
        import numpy as np

        from pipeline.logs import LOGGER
        from stages.posteriors.infer import conclude
        from stages.stores import posteriors_result

        with _blaming(prepared.view.scene.scene):
            posteriors = conclude(prepared, self.config, engine, pairs, solutions)
        faces = posteriors.faces
        LOGGER.info("points lie on %.0f %% of the faces of boxes: faces count as %s", 100 * faces.touched, faces.trust)
        if faces.trust == "uncertain":
            LOGGER.info("standard deviation of a face: %.1f %% of its box's side", 100 * faces.deviation)
        tried = ~np.isnan(posteriors.evidence)  # the others had no determined region on one side: nothing to learn
        failed = int((tried & ~posteriors.fitted).sum())
        statistics = {
            "pairs": float(len(posteriors.fitted)),
            "fits": float(posteriors.fitted.sum() + (posteriors.joint_mean is not None)),
            "jitter_retries": float(posteriors.jitter_retries.sum()),
        }
        text = f"{failed} of {int(tried.sum())} Gaussian Processes failed; their regions follow the prior"
        return posteriors_result(posteriors, statistics, (text,) if failed else ())

    def _engine(self) -> Engine | None:
        """The configured engine of pairs; None for rules, and for a joint posterior that observes no pairs."""
        config = self.config
        if config.engine == "laplace" or (config.engine == "graph" and config.observations == "pairs"):
            from stages.posteriors.engines.laplace import LaplaceEngine

            return LaplaceEngine(learn=config.learn, device=config.device)
        if config.engine == "regression":
            from stages.posteriors.engines.regression import RegressionEngine

            return RegressionEngine(learn=config.learn, device=config.device)
        if config.engine == "variational":
            from stages.posteriors.engines.variational import VariationalEngine

            return VariationalEngine(learn=config.learn, device=config.device)
        if config.engine == "linear":
            from stages.posteriors.engines.linear import LinearEngine

            return LinearEngine()
        return None


def _said(job: SceneJob, regions: int, boxes: int) -> Int32[np.ndarray, " S"] | None:
    """What people said of each region, as ``prepare`` reads it; None where they said nothing.

    Raises SceneError for corrections that are corrupt, or about other regions than there are now.
    """
    if not job.files:
        return None
    import numpy as np

    from pipeline.logs import LOGGER
    from pipeline.store import read_manifest
    from stages.review.corrections import BACKGROUND, UNTOUCHED, read_corrections

    (path,) = job.files
    try:
        corrections = read_corrections(path)
        if corrections.superpoints != read_manifest(job.inputs["superpoints"])["fingerprint"]:
            raise SceneError(
                f"scene {job.scene}: {path} is about superpoints that are no longer there (options or raw files have "
                "changed since the review): move that file away and review the scene again, or go back to what "
                "was reviewed"
            )
        owners = corrections.owners(regions, boxes)
    except StoreError as error:
        raise SceneError(f"scene {job.scene}: {error}") from error
    except ValueError as error:
        raise SceneError(
            f"scene {job.scene}: {path}: {error}; move that file away and review the scene again"
        ) from error
    LOGGER.info("people decided %d regions", (owners != UNTOUCHED).sum())
    return np.where(owners == BACKGROUND, boxes, np.maximum(owners, -1)).astype(np.int32)


@contextmanager
def _blaming(scene: str) -> Iterator[None]:
    """Turns what mathematics has to say about a scene into an error for the user."""
    try:
        yield
    except ValueError as error:
        raise SceneError(f"scene {scene}: {error}; change posteriors.engine or .background") from error


def _check_device(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigurationError(f"posteriors.device is {device}, but torch finds no GPU here; set it to cpu")
