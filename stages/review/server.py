"""The review page over HTTP: its files, the data of a scene, and what the person changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, Response, abort, request
from werkzeug.exceptions import HTTPException

from pipeline.errors import BoxgpError, StoreError
from pipeline.stage import SCENE_ID
from stages.review.corrections import ConflictError
from stages.review.desk import Desk, ReplacedError, RequestError
from stages.review.guard import Guard, harden
from stages.review.opened import OpenScene
from stages.review.queue import candidate_owners, neighbors_alike
from stages.structures import LabelSource
from stages.typing import Int32

_PAGE = Path(__file__).with_name("page")
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_LONGEST_REQUEST = 16 * 2**20
_KINDS: dict[type[BoxgpError], tuple[str, int]] = {
    ConflictError: ("conflict", 409),
    ReplacedError: ("replaced", 409),
    RequestError: ("request", 400),
    StoreError: ("store", 423),
}


def application(desk: Desk, guard: Guard) -> Flask:
    """The page of one run; ``guard`` decides who may use it."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _LONGEST_REQUEST
    app.before_request(guard.refuse)
    app.after_request(harden)
    app.register_error_handler(BoxgpError, _refused)
    app.register_error_handler(HTTPException, _not_done)
    app.register_error_handler(Exception, _broken)
    _add_page(app)
    _add_reading(app, desk)
    _add_changing(app, desk)
    return app


def _add_page(app: Flask) -> None:
    @app.get("/")
    def page() -> Response:
        return _file("page.html")

    @app.get("/page/<name>")
    def file(name: str) -> Response:
        if name not in {path.name for path in _PAGE.iterdir()}:
            abort(404)
        return _file(name)


def _add_reading(app: Flask, desk: Desk) -> None:
    @app.get("/api/run")
    def run() -> Response:
        results = desk.results
        return _json(
            {
                "run": results.folder.absolute().name,
                "round": results.round,
                "command": desk.command,
                "scenes": desk.overview(),
                "sources": [source.name.lower() for source in LabelSource],
            }
        )

    @app.get("/api/scenes/<scene>")
    def facts(scene: str) -> Response:
        opened = _opened(desk, scene)
        return _json({**_facts(opened), "state": desk.state(scene)})

    @app.get("/api/scenes/<scene>/state")
    def state(scene: str) -> Response:
        _check_name(desk, scene)
        return _json(desk.state(scene))

    @app.get("/api/scenes/<scene>/points")
    def points(scene: str) -> Response:
        return _binary(_opened(desk, scene).packed_points())

    @app.get("/api/scenes/<scene>/regions")
    def regions(scene: str) -> Response:
        return _binary(_opened(desk, scene).packed_regions())

    @app.get("/api/scenes/<scene>/regions/<int:region>")
    def region(scene: str, region: int) -> Response:
        opened = _opened(desk, scene)
        _checked_regions([region], opened)
        return _json({"owners": candidate_owners(opened.labels.probability[:, region])})


def _add_changing(app: Flask, desk: Desk) -> None:
    @app.post("/api/scenes/<scene>/around")
    def around(scene: str) -> Response:
        opened = _opened(desk, scene)
        return _binary(opened.packed_around(_checked_regions(_given("regions", list), opened)))

    @app.post("/api/scenes/<scene>/grow")
    def grow(scene: str) -> Response:
        opened = _opened(desk, scene)
        chosen = _checked_regions(_given("regions", list), opened)
        found = neighbors_alike(chosen, opened.owner, opened.labels.contested > 0, opened.indptr, opened.neighbor)
        return _json({"regions": found.tolist()})

    @app.post("/api/scenes/<scene>/assign")
    def assign(scene: str) -> Response:
        _check_name(desk, scene)
        regions = _whole_numbers(_given("regions", list))
        return _json(desk.assign(scene, regions, _given("owner", int), **_known()))

    @app.post("/api/scenes/<scene>/undo")
    def undo(scene: str) -> Response:
        _check_name(desk, scene)
        return _json(desk.take_back(scene, _given("first", int), **_known()))


def _facts(opened: OpenScene) -> dict[str, Any]:
    labels = opened.labels
    return {
        "scene": labels.scene,
        "points": len(labels.superpoint),
        "shown": len(opened.shown),
        "thinned": opened.thinned,
        "has_colors": opened.rgb is not None,
        "classes": list(labels.class_names),
        "boxes": labels.boxes.corners.tolist(),
        "box_class": labels.boxes.class_index.tolist(),
    }


def _opened(desk: Desk, scene: str) -> OpenScene:
    _check_name(desk, scene)
    opened = desk.scenes.open(scene)
    expected = request.headers.get("X-Superpoints")
    if expected is not None and expected != opened.fingerprints.superpoints:
        raise ReplacedError(f"the regions of scene {scene} were computed anew meanwhile: load it again")
    return opened


def _check_name(desk: Desk, scene: str) -> None:
    # a name comes from the network: only that of a scene may become part of a path
    if SCENE_ID.fullmatch(scene) is None or not desk.results.of("pseudo_labels", scene).is_dir():
        raise RequestError(f"the run has no labels of scene {scene!r}")


def _known() -> dict[str, Any]:
    return {"seen": _given("seen", int), "superpoints": _given("superpoints", str)}


def _given(name: str, kind: type) -> Any:
    values = request.get_json()
    value = values.get(name) if isinstance(values, dict) else None
    if type(value) is not kind:
        raise RequestError(f"the request lacks {name} ({kind.__name__})")
    return value


def _whole_numbers(values: list[Any]) -> list[int]:
    if not values or not all(type(value) is int for value in values):
        raise RequestError("regions are whole numbers, at least one")
    return values


def _checked_regions(values: list[Any], opened: OpenScene) -> Int32[np.ndarray, " C"]:
    if not all(0 <= value < len(opened.points) for value in _whole_numbers(values)):
        raise RequestError(f"scene {opened.labels.scene} has regions 0 to {len(opened.points) - 1} only")
    return np.array(values, np.int32)


def _refused(error: BoxgpError) -> Response:
    kind, status = next((_KINDS[one] for one in type(error).__mro__ if one in _KINDS), ("store", 423))
    return _json({"kind": kind, "message": str(error)}, status)


def _not_done(error: HTTPException) -> Response:
    return _json({"kind": "request", "message": error.description or error.name}, error.code or 500)


def _broken(error: Exception) -> Response:
    message = f"unexpected {type(error).__name__}: {error}"
    print(f"boxgp: {message} (in {request.path})", file=sys.stderr)  # the path is without the query, and the token
    return _json({"kind": "broken", "message": message}, 500)


def _file(name: str) -> Response:
    path = _PAGE / name
    return Response(path.read_bytes(), mimetype=_TYPES.get(path.suffix))


def _json(values: Any, status: int = 200) -> Response:
    return Response(json.dumps(values, allow_nan=False), status, mimetype="application/json")


def _binary(content: bytes) -> Response:
    return Response(content, mimetype="application/octet-stream")
