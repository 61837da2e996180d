"""What was tried in place of the default and is no option of boxgp: quality of labels, ECE and time, side by side.

    python -m benchmarks.alternatives [--real FOLDER] [--rooms N] [--points N] [--quick] [--json FILE]

Regions, candidates, evidence and seeds are made once a scan by the command and the stages' own functions; what differs
between rows is the problem of the joint posterior, how it is solved, or what comes after it. Two rows have regions of
their own. ECE is over the regions that the default contests, whichever row. Milliseconds are processor time from the
problem to labels, mean over the scans; changed constants and affinities are not in them. `--quick` takes two scans.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.alternatives_models import averaged, classified, of_equal_sum, repaired
from benchmarks.rendering import LOADS, provenance, with_notes
from benchmarks.runs import about, arguments, loads
from benchmarks.tables import number, table, timed, write_json
from benchmarks.tuning import Case, Outcome, Scans, case_of, figures_of
from benchmarks.tuning_settings import Setting, changed
from benchmarks.workload import Load, Partitioned, Scan, partition
from stages.evaluation.boxes import extents
from stages.evaluation.calibration import owner_samples, room_of
from stages.evaluation.label_quality import label_ap
from stages.evaluation.overlap import instance_points, intersection_over_union, mask_points
from stages.posteriors.assemble import assemble
from stages.posteriors.config import PosteriorsConfig
from stages.posteriors.determine import leave_to_posterior
from stages.posteriors.engines.laplace import LaplaceEngine
from stages.posteriors.graph import observations
from stages.posteriors.graph.field import GraphPosterior, GraphProblem, solve_graph
from stages.posteriors.graph.pairs import concluded_by_pairs, observed_by_pairs
from stages.posteriors.infer import Prepared, prepare, solve_pairs
from stages.pseudo_labels.build import build_labels
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import PairPosteriors, Superpoints
from stages.superpoints import affinity
from stages.superpoints.region_graph import region_graph
from stages.superpoints.surface import cloud_of
from stages.typing import Float64, Int64, UInt8

DEFAULT = "the default"
SMOOTHNESS, TRUST = (0.05, 0.1, 0.2), (1.0, 0.25)
"""Of the classification likelihood: weight of the graph's prior, and factor of the trust in observations. The mode
depends on their ratio alone."""
CERTAIN = 1e6
ENGINE = LaplaceEngine(learn=False)

KINDS = ("IN_NO_BOX", "IN_ONE_BOX", "NESTED", "CROSSING", "SEED")
_ALIKE = dict.fromkeys(KINDS, float(np.exp(np.mean([np.log(getattr(observations, name)) for name in KINDS]))))
CONSTANTS: dict[str, Setting] = {
    "seeds as certainties": {"SEED": CERTAIN * observations.SEED},
    "without volumes in the prior": {"NESTED_EXPONENT": 0.0, "CROSSING_EXPONENT": 0.0},
    "trust in proportion to points": {"POINTS_EXPONENT": 1.0},
    "the same trust in all kinds of regions": _ALIKE,
    "the same trust in all points": {"POINTS_EXPONENT": 1.0, **_ALIKE},
}
"""Rows by the constants of the stages that they change; the trust that is the same is the geometric mean of all."""
_WITHOUT = {"normals": "NORMAL_UNIT", "colour": "COLOR_UNIT", "length": "GAP"}
AFFINITIES: dict[str, tuple[str, ...]] = {
    f"without {name} in the affinity": (constant,) for name, constant in _WITHOUT.items()
}
CONTACTS = "contacts as affinity"
AFFINITIES[CONTACTS] = tuple(_WITHOUT.values())
"""Rows by the units of the affinity that become infinite."""
PARTITIONS = {"smallest regions of 2 points": ("superpoints.minimum_size=2",)}
POINTS = {"points as regions": ("superpoints.method=singletons",)}
"""Rows by the options of the command for their regions; the second on the first FEW scans."""
FEW, QUICK = 3, 2
SCALED = "Scaled: affinities add up to those of the default"

Way = Callable[[], PseudoLabels]


def measured_case(scan: Scan, found: Partitioned) -> Case:
    """One scan as the default prepares it, with what its labels are judged by."""
    case = case_of(scan, found.posteriors, found.fusion)
    return replace(case, prepared=prepare(scan.scene, scan.superpoints, found.posteriors))


def ways(case: Case, config: PosteriorsConfig) -> dict[str, Way]:
    """Every row on the regions of the default; what is left to do is what milliseconds count."""
    problem, prior = case.prepared.graph(), case.prepared.ownership.prior.astype(np.float64)
    found: dict[str, Way] = {DEFAULT: partial(_regression, case, problem)}
    for ratio in sorted({smoothness / trust for smoothness in SMOOTHNESS for trust in TRUST}):
        found[f"classification, mode, {ratio:g}"] = partial(_modelled, case, classified, problem, ratio)
    for weights in product(SMOOTHNESS, TRUST):
        name = "classification, averaged, {:g} / {:g}".format(*weights)
        found[name] = partial(_modelled, case, averaged, problem, *weights)
    found["a GP a pair, then the graph"] = partial(_smoothed_pairs, case, config, concluded_by_pairs)
    found["mean of prior and a GP a pair, then the graph"] = partial(_smoothed_pairs, case, config, observed_by_pairs)
    found["a GP a pair alone"] = partial(_by_pairs, case, config)
    found["prior alone"] = partial(_joint, case, prior)
    found["prior and seeds alone"] = partial(_joint, case, problem.observation)
    found["masks grown to all faces"] = partial(_tight, case, problem)
    for name, setting in CONSTANTS.items():
        with changed(setting):
            problem_there = prepare(case.scan.scene, case.scan.superpoints, config).graph()
        found[name] = partial(_regression, case, problem_there)
    for name, superpoints in other_affinities(case.scan).items():
        there = replace(case.prepared, superpoints=superpoints).graph()
        found[name] = partial(_regression, case, there)
        found[f"{name}, scaled"] = partial(_regression, case, of_equal_sum(there, problem))
    return found


def _labels(case: Case, posteriors: PairPosteriors) -> PseudoLabels:
    return build_labels(case.scan.scene, case.scan.superpoints, posteriors, case.fusion)


def _assembled(prepared: Prepared, joint: GraphPosterior) -> PairPosteriors:
    ownership = leave_to_posterior(prepared.ownership)
    return assemble(ownership, [], [], prepared.view.order, "identity", "graph", prepared.faces, joint)


def _regression(case: Case, problem: GraphProblem) -> PseudoLabels:
    return _labels(case, _assembled(case.prepared, solve_graph(problem)))


def _joint(case: Case, probability: Float64[np.ndarray, "K_plus_1 S"]) -> PseudoLabels:
    """Labels whose probabilities are given; they have no variance."""
    joint = GraphPosterior(probability.astype(np.float32), np.zeros(probability.shape[1], np.float32))
    return _labels(case, _assembled(case.prepared, joint))


def _modelled(
    case: Case, model: Callable[..., Float64[np.ndarray, "K_plus_1 S"]], problem: GraphProblem, *weights: float
) -> PseudoLabels:
    return _joint(case, model(problem, *weights))


def _pairs(case: Case, config: PosteriorsConfig, order: Int64[np.ndarray, " K"]) -> PairPosteriors:
    """One Gaussian Process a pair with the RBF kernel, as by engine ``laplace``; boxes renumbered by ``order``."""
    prepared = case.prepared
    pairs = prepared.pairs(case.scan.features, config)
    (solutions,) = solve_pairs([pairs], ENGINE)
    return assemble(prepared.ownership, pairs, solutions, order, ENGINE.link, "laplace", prepared.faces)


def _by_pairs(case: Case, config: PosteriorsConfig) -> PseudoLabels:
    return _labels(case, _pairs(case, config, case.prepared.view.order))


def _smoothed_pairs(
    case: Case, config: PosteriorsConfig, observe: Callable[[PairPosteriors], Float64[np.ndarray, "K_plus_1 S"]]
) -> PseudoLabels:
    """The graph with what pairs conclude as observations, in the way of ``observe``."""
    canonical = np.arange(len(case.prepared.ownership.candidate))
    return _regression(case, case.prepared.graph(observe(_pairs(case, config, canonical))))


def _tight(case: Case, problem: GraphProblem) -> PseudoLabels:
    posteriors = _assembled(case.prepared, solve_graph(problem))
    labels = _labels(case, posteriors)
    extent = extents(case.scan.scene.xyz, labels.superpoint, labels.mask.shape[1])
    corners, order = labels.boxes.corners, case.prepared.view.order
    return replace(labels, mask=repaired(labels.mask, labels.probability, posteriors.candidate, extent, corners, order))


@contextmanager
def _infinite(constants: tuple[str, ...]) -> Iterator[None]:
    """Units of the affinity so large that their terms are 0."""
    with ExitStack() as stack:
        for constant in constants:
            stack.enter_context(patch.object(affinity, constant, np.inf))
        yield


def other_affinities(scan: Scan) -> dict[str, Superpoints]:
    """The same regions with affinities that leave something out, for regions made from nearest neighbours."""
    chosen = {name: scan.superpoints.parameters[name] for name in ("neighbors", "normal_neighbors")}
    cloud = cloud_of(scan.scene, on_mesh=False, **chosen)
    region, found = scan.superpoints.superpoint[cloud.place], {}
    for name, constants in AFFINITIES.items():
        with _infinite(constants):
            weights = affinity.edge_affinities(cloud.lab, cloud.normals, cloud.graph)
        graph = region_graph(region, cloud.graph.edges, weights, len(scan.superpoints))
        found[name] = replace(scan.superpoints, affinity=graph.affinity)
    return found


def judged(case: Case, labels: PseudoLabels, kind: UInt8[np.ndarray, " S"]) -> Outcome:
    """Labels against the truth; ``kind`` says which regions count as overlap or background for the ECE."""
    totals = instance_points(case.counts, kind)
    iou = intersection_over_union(mask_points(labels.mask, case.counts, kind), totals, case.instance)[0]
    kept = (labels.mask, labels.probability, kind, labels.ignore, labels.uncertainty)
    return Outcome(iou, owner_samples(*kept, case.counts, case.instance))


Measured = dict[str, tuple[Scans, list[float]]]
"""By row: outcomes of the scans and milliseconds of each."""


def measure(found: Partitioned, rows: Callable[[Case], dict[str, Way]]) -> Measured:
    """Every row on every scan; the rows of a scan begin with its default."""
    measured: Measured = {}
    for index, scan in enumerate(found.scans):
        case = measured_case(scan, found)
        here = rows(case)
        kind = here[DEFAULT]().contested
        for name, way in here.items():
            if index == 0:
                way()  # the first call is slower
            with timed() as seconds:
                labels = way()
            scans, milliseconds = measured.setdefault(name, ({}, []))
            scans[scan.scene.scene] = judged(case, labels, kind)
            milliseconds.append(1000.0 * seconds.cpu)
    return measured


def summary_of(measured: Measured) -> dict[str, Any]:
    """Figures of each row."""
    rows = {}
    for name, (scans, milliseconds) in measured.items():
        figures = figures_of({name: scans}, dict.fromkeys(map(room_of, scans), name))
        rows[name] = {**figures, "milliseconds": float(np.mean(milliseconds))}
    scans = next(iter(measured.values()))[0]
    objects = label_ap(np.concatenate([one.iou for one in scans.values()])).objects
    return {"scenes": len(scans), "objects": objects, "rows": rows}


def first(load: Load, kind: str, count: int) -> Load:
    """The first scans of a load."""
    if kind == "rooms" or load.scenes is None:
        return replace(load, settings=(*load.settings, f"scenes.count={count}"))
    return replace(load, scenes=",".join(load.scenes.split(",")[:count]))


def compare(load: Load, kind: str) -> dict[str, Any]:
    """All rows of a load, and points as regions beside the default on its first scans."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "run"
        found = partition(load, "folder", output)
        measured = measure(found, lambda case: ways(case, found.posteriors))
        measured |= {name: _on_regions(load, settings, output) for name, settings in PARTITIONS.items()}
    few = first(load, kind, min(FEW, len(found.scans)))
    scans, milliseconds = measured[DEFAULT]
    beside: Measured = {DEFAULT: (dict(islice(scans.items(), FEW)), milliseconds[:FEW])}
    with tempfile.TemporaryDirectory() as folder:  # another one, since a folder keeps the scans of all its runs
        beside |= {name: _on_regions(few, settings, Path(folder) / "run") for name, settings in POINTS.items()}
    return {"all": summary_of(measured), "few": summary_of(beside)}


def _on_regions(load: Load, settings: tuple[str, ...], output: Path) -> tuple[Scans, list[float]]:
    """The default on other regions."""
    found = partition(replace(load, settings=(*load.settings, *settings)), "folder", output)
    return measure(found, lambda case: {DEFAULT: partial(_regression, case, case.prepared.graph())})[DEFAULT]


def rendered(content: Mapping[str, Any]) -> str:
    """One table a load, and one of points on its first scans."""
    header = ["regions decided by", "AP", "AP50", "AP90", "mean IoU", "ECE overlap", "ECE background", "ms a scan"]
    parts = []
    for kind in (kind for kind in LOADS if kind in content):
        for found in content[kind].values():
            rows = [
                [name, *(number(value, 0 if key == "milliseconds" else 3) for key, value in figures.items())]
                for name, figures in found["rows"].items()
            ]
            text = f"{found['scenes']} {LOADS[kind]}, {found['objects']:,} objects"
            parts.append(f"{text}:\n\n{table(header, rows)}")
    notes = ["Classification: weight of the graph's prior / factor of the trust in observations", SCALED]
    return with_notes("\n\n".join(parts), [*notes, provenance(content)])


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    chosen = arguments(__doc__).parse_args()
    content: dict[str, Any] = about(chosen.quick)
    for kind, load in loads(chosen).items():
        content[kind] = compare(first(load, kind, QUICK) if chosen.quick else load, kind)
        print(f"{load.name}: done", file=sys.stderr, flush=True)
    print(rendered(content))
    write_json(chosen.json, content)


if __name__ == "__main__":
    main()
