"""Labels that a network has improved, as the second round of a run makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.experiment.rooms import Room
from stages.inference.records import Predictions
from stages.posteriors.assemble import assemble
from stages.posteriors.determine import leave_to_posterior
from stages.posteriors.graph.field import solve_graph
from stages.posteriors.graph.observations import graph_problem
from stages.posteriors.learnt import network_probability, with_network
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.coupling import Fusion
from stages.pseudo_labels.labels import PseudoLabels


@dataclass(frozen=True)
class Relabelling:
    """The options of the stages posteriors and pseudo_labels that have a say in later rounds."""

    network_weight: float
    fusion: Fusion

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Relabelling:
        """Of a resolved configuration; raises ValueError where its posteriors are not those that can be had here."""
        posteriors = configuration["posteriors"]
        if posteriors["engine"] != "graph" or posteriors["observations"] != "prior":
            raise ValueError("posteriors.engine has to be graph, and posteriors.observations prior")
        return cls(
            # without evidence from geometry, none of the network is asked for either
            network_weight=posteriors["network_weight"] if posteriors["evidence"] else 0.0,
            fusion=configuration["pseudo_labels"]["fusion"],
        )


def improved_labels(room: Room, found: Predictions, options: Relabelling, device: str) -> PseudoLabels:
    """The labels of a room after what a network found there was taken into account.

    ``device`` as for ``solve_graph``: ``cpu:0`` or ``cuda``; ``cpu`` wants a compiler. Raises ValueError for a room
    that was read without what is known before networks.
    """
    before = room.before_network
    if before is None:
        raise ValueError(f"room {room.scene.scene} was read without what is known before networks")
    ownership, region = before.ownership, room.superpoints.superpoint
    # not membership.region_sizes, which comes with numba
    size = np.bincount(region[region >= 0], minlength=len(room.superpoints))
    if options.network_weight > 0:
        probability = network_probability(found, ownership.prior, size)
        candidate, prior = with_network(
            ownership.candidate,
            ownership.prior,
            probability,
            options.network_weight,
            beyond=before.trust.trust == "uncertain",
        )
        ownership = replace(ownership, candidate=candidate, prior=prior)
    problem = graph_problem(ownership, ownership.prior.astype(np.float64), room.superpoints, size, before.seed)
    joint = solve_graph(problem, device)
    contested = leave_to_posterior(ownership)
    posteriors = assemble(contested, [], [], before.order, "identity", "graph", before.trust, joint)
    return build_labels(room.scene, room.superpoints, posteriors, options.fusion)
