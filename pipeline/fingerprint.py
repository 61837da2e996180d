"""Fingerprints: sha256 over canonical JSON of everything that decides the bytes of a result."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii
from pathlib import PurePath
from typing import Any

_compact = json.JSONEncoder(separators=(",", ":")).encode


def canonical_json(value: object) -> str:
    """``value`` as JSON that is the same for equal values.

    Keys are sorted, tuples are lists, paths are text. Numbers that JSON lacks become an object of their own, so that
    neither NaN nor infinity equals null or a text. Raises TypeError for values and keys that are not plain.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: object) -> str:
    """sha256 of the canonical JSON of ``value``, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def task_fingerprint(
    stage: str,
    version: int,
    *,
    config: Mapping[str, Any],
    seed: int,
    inputs: Mapping[str, str],
    files: Sequence[tuple[str, str]],
) -> str:
    """The fingerprint of one result.

    ``inputs`` maps each input stage to its fingerprint; ``files`` are (name, sha256 of the content) of the raw files,
    in the order in which the stage gets them.
    """
    facts = {"stage": stage, "version": version, "config": config, "seed": seed, "inputs": inputs, "files": files}
    return digest(facts)


class SceneFingerprints:
    """``task_fingerprint`` of many scenes of one stage: what they share is written and hashed once.

    ``inputs`` names the input stages in the order in which their fingerprints will be given.
    """

    def __init__(
        self, stage: str, version: int, *, config: Mapping[str, Any], run_seed: int, inputs: Sequence[str]
    ) -> None:
        self._seeds = _seed_head(run_seed, stage)
        self._head = hashlib.sha256(f'{{"config":{canonical_json(config)},"files":'.encode())
        places = sorted(zip(inputs, range(len(inputs)), strict=True))
        self._inputs = [(json.dumps(name), place) for name, place in places]
        self._tail = f',"stage":{json.dumps(stage)},"version":{version}}}'

    def of(self, scene: str, inputs: Sequence[str], files: Sequence[tuple[str, str]]) -> str:
        """The fingerprint of one scene, from those of its inputs and (name, sha256) of its raw files."""
        state = self._head.copy()
        listed = ",".join([f'{name}:"{inputs[place]}"' for name, place in self._inputs])
        seed = _seed(self._seeds, scene)
        raw = _compact(files) if files else "[]"
        state.update(f'{raw},"inputs":{{{listed}}},"seed":{seed}{self._tail}'.encode())
        return state.hexdigest()


def scene_seed(run_seed: int, stage: str, scene: str) -> int:
    """The seed of one scene in one stage, 0 <= seed < 2**63: independent of the order of scenes and of the executor."""
    return _seed(_seed_head(run_seed, stage), scene)


def _seed_head(run_seed: int, stage: str) -> str:
    return canonical_json([run_seed, stage])[:-1]


def _seed(head: str, scene: str) -> int:
    """From the canonical JSON of [run seed, stage, scene], of which ``head`` is the part before the scene."""
    return int.from_bytes(hashlib.sha256(f"{head},{encode_basestring_ascii(scene)}]".encode()).digest()[:8], "big") >> 1


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"__float__": repr(value)}
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise TypeError(f"key {wrong[0]!r} is not a text: it cannot enter a fingerprint")
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot enter a fingerprint")
