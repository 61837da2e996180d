"""A run of small scenes for tests of the review page, and a page that talks to its server."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from flask.testing import FlaskClient

from pipeline.results import RunResults
from pipeline.store import commit
from stages.pseudo_labels.store import labels_result
from stages.review.desk import Desk
from stages.review.guard import Guard
from stages.review.opened import OpenScenes
from stages.review.server import application
from stages.stores import scene_result, superpoints_result
from stages.structures import Boxes, LabelSource, Scene, Superpoints, Surface
from tests.stages.evaluation.labelled import labels_of, row_of_cubes

PORT = 4321
ORIGIN = f"http://127.0.0.1:{PORT}"
SCENE = "row"
OWNER = np.array([0, -1, 1, 1, 2, 2, -1, -1])
"""of the regions of ``row_of_cubes``: half of the first cube is lost"""


def add_scene(run: Path, scene: Scene, superpoint: np.ndarray, owner: np.ndarray, mark: str = "") -> None:
    """Commits one labelled scene; ``mark`` makes its fingerprints others than those of a scene without."""
    run.mkdir(exist_ok=True)
    (run / "config.yaml").touch()
    name, regions = scene.scene, len(owner)
    neighbor = [[other for other in (region - 1, region + 1) if 0 <= other < regions] for region in range(regions)]
    count = len(scene.xyz)
    up = np.tile(np.array([0, 0, 1], np.float32), (count, 1))
    surface = Surface(up, np.zeros((2, count), np.int32), np.zeros(count, bool))
    edges = sum(map(len, neighbor))
    superpoints = Superpoints(
        superpoint=superpoint.astype(np.int32),
        indptr=np.cumsum([0, *map(len, neighbor)]).astype(np.int64),
        neighbor=np.concatenate([*neighbor, []]).astype(np.int32),
        contacts=np.ones(edges, np.int32),
        affinity=np.ones(edges, np.float32),
        surface=surface,
        method="given",
        parameters={},
    )
    contested = np.ones(regions, np.uint8)
    labels = labels_of(scene, superpoint, owner, confidence=0.75, contested=contested)
    commit(run / "scenes" / name, scene_result(scene), {"fingerprint": f"scene{mark}"})
    commit(run / "superpoints" / name, superpoints_result(superpoints), {"fingerprint": f"regions{mark}"})
    manifest = {
        "fingerprint": f"labels{mark}",
        "inputs": {"superpoints": f"regions{mark}"},
        "statistics": {"regions_by_source/gp": float(regions), "regions_by_source/background": 2.0},
    }
    commit(run / "round_00" / "pseudo_labels" / name, labels_result(labels), manifest)


def small_run(run: Path) -> Path:
    """A run with the scene ``row``: three cubes and a floor in eight regions, all contested."""
    scene, superpoint = row_of_cubes()
    add_scene(run, scene, superpoint, OWNER)
    return run


def relabel(run: Path, owner: np.ndarray, human: list[int]) -> None:
    """Labels of ``SCENE`` made anew from the same regions; those of ``human`` are a person's."""
    scene, superpoint = row_of_cubes()
    labels = labels_of(scene, superpoint, owner, confidence=0.75, contested=np.ones(8))
    source = np.full(8, LabelSource.GP, np.uint8)
    source[human] = LabelSource.HUMAN
    manifest = {"fingerprint": "labels again", "inputs": {"superpoints": "regions"}}
    commit(run / "round_00" / "pseudo_labels" / SCENE, labels_result(replace(labels, source=source)), manifest)


def one_point() -> Scene:
    """A scene of one point, without boxes and classes."""
    return Scene(scene="dot", xyz=np.zeros((1, 3), np.float32), boxes=Boxes.empty())


class Page:
    """What the page does: it was let in, and sends what the server asks for."""

    def __init__(self, run: Path, reviewer: str | None = None, most_points: int = 1000) -> None:
        results = RunResults(run, 0)
        self.guard = Guard(PORT)
        self.desk = Desk(results, OpenScenes(results, most_points), reviewer)
        self.client: FlaskClient = application(self.desk, self.guard).test_client()
        self.get(f"/?token={self.guard.token}")

    def get(self, path: str, status: int | None = None, **options: Any) -> Any:
        """The answer; with ``status``, what it holds, after a look at its status."""
        answer = self.client.get(path, base_url=ORIGIN, **options)
        if status is None:
            return answer
        assert answer.status_code == status, answer.text
        return answer.json

    def post(self, path: str, values: Any, status: int = 200, origin: str | None = ORIGIN) -> Any:
        """What the answer holds, after a look at its status."""
        headers = {} if origin is None else {"Origin": origin}
        answer = self.client.post(path, base_url=ORIGIN, json=values, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json

    def assign(self, regions: list[Any], owner: Any, seen: int, status: int = 200, **others: Any) -> Any:
        """Gives regions of ``SCENE`` to an owner."""
        values = {"regions": regions, "owner": owner, "seen": seen, "superpoints": "regions", **others}
        return self.post(f"/api/scenes/{SCENE}/assign", values, status)

    def undo(self, first: int, seen: int, status: int = 200) -> Any:
        """Takes a step back."""
        values = {"first": first, "seen": seen, "superpoints": "regions"}
        return self.post(f"/api/scenes/{SCENE}/undo", values, status)

    def state(self, status: int = 200) -> Any:
        """The corrections of ``SCENE``."""
        return self.get(f"/api/scenes/{SCENE}/state", status)


def unpacked(content: bytes) -> dict[str, Any]:
    """What ``packing.pack`` put together, read as its docstring says."""
    length = int.from_bytes(content[:4], "little")
    head = json.loads(content[4 : 4 + length])
    place = 4 + length
    found = dict(head)
    for name, dtype, size in head["arrays"]:
        found[name] = np.frombuffer(content, np.dtype(dtype).newbyteorder("<"), size, place)
        place += -(-found[name].nbytes // 4) * 4
    assert place == len(content)
    return found
