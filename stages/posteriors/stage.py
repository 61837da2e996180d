"""The posteriors stage: who owns each region, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pipeline.errors import SceneError
from pipeline.stage import Result, SceneJob, SceneStage, StageConfig
from stages.posteriors.config import PosteriorsConfig

if TYPE_CHECKING:
    from stages.posteriors.engines.base import Engine


class Posteriors(SceneStage):
    """Decides determined regions and runs one Gaussian Process for each pair of owners of contested ones."""

    name = "posteriors"
    version = 2
    Config: ClassVar[type[StageConfig]] = PosteriorsConfig
    inputs = ("scenes", "superpoints", "features")
    config: PosteriorsConfig

    def run_scene(self, job: SceneJob) -> Result:
        """The posteriors of one scene; raises SceneError where the scene lacks what the configuration asks for."""
        import numpy as np

        from pipeline.logs import LOGGER
        from stages.posteriors.infer import infer
        from stages.stores import posteriors_result, read_features, read_scene, read_superpoints

        scene = read_scene(job.inputs["scenes"])
        superpoints = read_superpoints(job.inputs["superpoints"])
        features = read_features(job.inputs["features"])
        try:
            posteriors = infer(scene, superpoints, features, self.config, self._engine())
        except ValueError as error:
            raise SceneError(f"scene {scene.scene}: {error}; change posteriors.engine or .background") from error
        faces = posteriors.faces
        LOGGER.info("points lie on %.0f %% of the faces of boxes: faces count as %s", 100 * faces.touched, faces.trust)
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
        """The configured engine; None for rules."""
        config = self.config
        if config.engine == "laplace":
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
