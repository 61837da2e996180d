"""What a release holds beside the labels: tables, recipe, card and metadata, from the receipts of its scenes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from pipeline.results import RunResults
from pipeline.store import read_arrays
from stages.evaluation.records import from_arrays
from stages.export.base import json_bytes
from stages.release.card import Card
from stages.release.croissant import croissant
from stages.release.folder import RECIPE
from stages.release.licenses import License
from stages.release.planning import Receipt
from stages.release.quality import Quality, quality_of
from stages.release.tables import scenes_csv, totals_of

_RECIPE_HEAD = "# The options that the labels were made with: boxgp run recipe.yaml --set scenes.path=YOUR_SCANS\n"
_UNLISTED = ("README.md", "croissant.json")
"""files that croissant.json does not describe: itself, and what people read"""


def files_beside(
    recipe: Mapping[str, Any],
    receipts: Sequence[Receipt],
    splits: Mapping[str, Sequence[str]],
    license_: License,
    quality: Quality,
) -> dict[str, bytes]:
    """Name -> content of every file that is about the whole release, but its checksums."""
    split_of = {scene: split for split, scenes in splits.items() for scene in scenes}
    placed = Counter(split_of[one.scene] for one in receipts if one.scene in split_of)
    sizes = {split: placed[split] for split in splits if placed[split]}
    card = Card(recipe, license_, totals_of(receipts), quality, receipts[0].scene, sizes)
    files = {
        "scenes.csv": scenes_csv(receipts, split_of),
        "quality.json": json_bytes(quality.as_json()),
        **({"quality.csv": quality.as_csv()} if quality.known else {}),
        RECIPE: json_bytes(recipe),
        "recipe.yaml": (_RECIPE_HEAD + yaml.safe_dump(recipe["configuration"], sort_keys=False)).encode(),
        "README.md": card.text().encode(),
    }
    listed = {name: described(content) for name, content in files.items() if name not in _UNLISTED}
    metadata = croissant(card.title, card.description, license_, listed, geometry=card.geometry)
    return {**files, "croissant.json": json_bytes(metadata)}


def described(content: bytes) -> dict[str, Any]:
    """Size and sha256."""
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def quality_in(results: RunResults, scenes: Sequence[str], evaluated: Mapping[str, str]) -> Quality:
    """The quality of a release, from the evaluations of its scenes; raises StoreError where one cannot be read."""
    return quality_of(len(scenes), list(_evaluations(results, [scene for scene in scenes if scene in evaluated])))


def _evaluations(results: RunResults, scenes: Sequence[str]) -> Iterator[Any]:
    for scene in scenes:
        folder: Path = results.of("evaluation", scene)
        yield from_arrays(*read_arrays(folder))
