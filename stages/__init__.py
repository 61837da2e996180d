"""What is computed: one folder a stage, in the order in which data flows."""

PIPELINE: tuple[str, ...] = (
    "stages.scenes.stage:Scenes",
    "stages.superpoints.stage:Superpoints",
    "stages.features.stage:Features",
    "stages.posteriors.stage:Posteriors",
    "stages.pseudo_labels.stage:PseudoLabels",
    "stages.evaluation.stage:Evaluation",
    "stages.summary.stage:Summary",
    "stages.training.stage:Training",
    "stages.inference.stage:Inference",
    "stages.scores.stage:Scores",
)
"""The stages of a run by dotted path, each after its inputs."""
