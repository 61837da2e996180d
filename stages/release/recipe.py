"""How the labels of a release were made: options, software, raw files, without what names people, machines or paths."""

from __future__ import annotations

import getpass
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.fingerprint import canonical_json, digest
from pipeline.results import RunResults
from pipeline.store import intact_manifest
from stages.release.privacy import Privacy, names_in_paths
from stages.release.standing import Standing

FORMAT, FORMAT_VERSION = "boxgp.release", 1
_RAW = ("scenes", "superpoints")
"""stages that read files of the scans"""
_PUBLISHED = ("scenes.classes", "scenes.boxed_classes", "splits.train", "splits.val", "splits.test")
_EVALUATION = "evaluation"


def privacy_of(results: RunResults, config: Mapping[str, Any], standing: Standing) -> Privacy:
    """The names of this user and machine, of every machine that computed, and of users in paths of the options."""
    names = {socket.gethostname(), Path.home().name}
    with suppress(OSError, KeyError, ImportError):  # a user without a name, as in some containers
        names.add(getpass.getuser())
    for manifest in _manifests(standing):
        names.add(str(manifest.get("host", "")))
    texts = [str(results.folder.absolute()), canonical_json(config)]
    return Privacy.of(names | names_in_paths(texts))


def make_recipe(
    results: RunResults,
    config: Mapping[str, Any],
    standing: Standing,
    privacy: Privacy,
    *,
    license_id: str | None,
    geometry: bool,
) -> dict[str, Any]:
    """The content of ``recipe.json``; ``release`` tells releases of other content apart."""
    configuration, left_out = privacy.without(config, published=_PUBLISHED)
    recipe = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "name": privacy.cleaned(results.folder.absolute().name),
        "round": results.round,
        "license": license_id,
        "geometry": geometry,
        "boxgp": version("boxgp"),
        "software": _software(standing),
        "seed": config["seed"],
        "configuration": configuration,
        "options_left_out": left_out,
        "scenes_left_out": list(standing.left_out),
        "corrected_scenes": [scene for scene, origin in standing.ready.items() if _corrected(origin.manifests)],
        "raw_files": {scene: _raw_files(origin.manifests, privacy) for scene, origin in standing.ready.items()},
    }
    labels = {scene: origin.labels for scene, origin in standing.ready.items()}
    return {**recipe, "release": digest([recipe, labels, evaluated(results, standing)])}


def evaluated(results: RunResults, standing: Standing) -> dict[str, str]:
    """Scene -> fingerprint of its evaluation, where that is about the very labels that are released."""
    found = {}
    for scene, origin in standing.ready.items():
        manifest = intact_manifest(results.of(_EVALUATION, scene))
        if manifest is not None and (manifest.get("inputs") or {}).get("pseudo_labels") == origin.labels:
            found[scene] = str(manifest["fingerprint"])
    return found


def _manifests(standing: Standing) -> Iterator[Mapping[str, Any]]:
    for origin in standing.ready.values():
        yield from origin.manifests.values()


def _software(standing: Standing) -> list[dict[str, Any]]:
    """Versions and commit that results were computed with, the most frequent first, and how many of each stage."""
    kinds: Counter[str] = Counter()
    content: dict[str, dict[str, Any]] = {}
    for manifest in _manifests(standing):
        kind = {"versions": manifest["versions"], "commit": manifest["commit"]}
        name = canonical_json(kind)
        kinds[name] += 1
        one = content.setdefault(name, {**kind, "results": {}})
        label = f"{manifest['stage']} (version {manifest['version']})"
        one["results"][label] = one["results"].get(label, 0) + 1
    return [
        {**content[name], "results": dict(sorted(content[name]["results"].items()))}
        for name, _ in sorted(kinds.items(), key=lambda one: (-one[1], one[0]))
    ]


def _raw_files(manifests: Mapping[str, Mapping[str, Any]], privacy: Privacy) -> dict[str, str]:
    """Name -> sha256 of the files that a scene was read from: whoever has the same scan can tell."""
    files = [one for stage in _RAW if stage in manifests for one in manifests[stage]["files"]]
    return {privacy.cleaned(name): content for name, content in files}


def _corrected(manifests: Mapping[str, Mapping[str, Any]]) -> bool:
    return bool(manifests.get("posteriors", {}).get("files"))
