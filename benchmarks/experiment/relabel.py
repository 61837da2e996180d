"""Labels that a network has improved, as the second round of a run makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.experiment.rooms import Room
from stages.features.deep import Mode, deep_features
from stages.features.handcrafted import region_means
from stages.inference.records import Predictions
from stages.posteriors.assemble import assemble
from stages.posteriors.determine import Ownership, leave_to_posterior
from stages.posteriors.graph.field import solve_graph
from stages.posteriors.graph.observations import graph_problem
from stages.posteriors.learnt import network_odds, with_deep_affinity, with_network
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.coupling import Fusion
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Superpoints


@dataclass(frozen=True)
class Relabelling:
    """The options of the stages features, posteriors and pseudo_labels that have a say in later rounds."""

    network_weight: float
    deep_length: float | None
    deep: Mode | None
    """None where no deep features are used"""
    fusion: Fusion

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Relabelling:
        """Of a resolved configuration; raises ValueError where its posteriors are not those that can be had here."""
        posteriors, deep = configuration["posteriors"], configuration["features"]["deep"]
        if posteriors["engine"] != "graph" or posteriors["observations"] != "prior":
            raise ValueError("posteriors.engine has to be graph, and posteriors.observations prior")
        if posteriors["deep_length"] is not None and deep == "none":
            raise ValueError("posteriors.deep_length needs deep features: set features.deep, or leave it out")
        return cls(
            # without evidence from geometry, none of the network is asked for either
            network_weight=posteriors["network_weight"] if posteriors["evidence"] else 0.0,
            deep_length=posteriors["deep_length"],
            deep=None if posteriors["deep_length"] is None else deep,
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
    ownership = _asked(room, before.ownership, before.order, found, options.network_weight)
    superpoints = _compared(room, found, options)
    observed = ownership.prior.astype(np.float64)
    problem = graph_problem(ownership, observed, superpoints, _sizes(superpoints), before.seed)
    joint = solve_graph(problem, device)
    contested = leave_to_posterior(ownership)
    posteriors = assemble(contested, [], [], before.order, "identity", "graph", before.trust, joint)
    return build_labels(room.scene, room.superpoints, posteriors, options.fusion)


def _asked(room: Room, ownership: Ownership, order: np.ndarray, found: Predictions, weight: float) -> Ownership:
    """The prior with the network's masks as evidence."""
    if weight == 0:
        return ownership
    odds = network_odds(found, room.scene.xyz, room.superpoints.superpoint, room.scene.boxes.corners[order])
    return replace(ownership, prior=with_network(ownership.prior, ownership.candidate, odds, weight))


def _compared(room: Room, found: Predictions, options: Relabelling) -> Superpoints:
    """The graph of regions with the network's features in its affinities."""
    if options.deep is None or options.deep_length is None:
        return room.superpoints
    regions = len(room.superpoints)
    position = region_means(room.scene.xyz, room.superpoints.superpoint, regions).astype(np.float32)
    features = deep_features(position, found.region_feature, options.deep)
    return with_deep_affinity(room.superpoints, features.feature, options.deep_length)


def _sizes(superpoints: Superpoints) -> np.ndarray:
    region = superpoints.superpoint
    return np.bincount(region[region >= 0], minlength=len(superpoints))
