"""Croissant metadata: what files there are, and the columns of the table of scenes (mlcommons.org/croissant/1.0)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages.release.licenses import License
from stages.release.tables import COLUMNS

_SCENES = "scenes.csv"
_TYPES = {".csv": "text/csv", ".json": "application/json", ".yaml": "application/yaml"}
_CR = "http://mlcommons.org/croissant/"
_OF_CROISSANT = (
    "citeAs", "column", "equivalentProperty", "extract", "field", "fileObject", "fileProperty", "fileSet", "format",
    "includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet", "references", "regex",
    "repeated", "replace", "samplingRate", "separator", "source", "subField", "transform",
)  # fmt: skip


def croissant(
    name: str, description: str, license_: License, files: Mapping[str, Mapping[str, Any]], *, geometry: bool
) -> dict[str, Any]:
    """The JSON-LD of a release; ``files`` are its tables, name -> size and sha256.

    Checksums of labels and scans are a column of the table of scenes, and in SHA256SUMS.
    """
    content: dict[str, Any] = {
        "@context": _context(),
        "@type": "sc:Dataset",
        "name": name,
        "description": description,
        "conformsTo": f"{_CR}1.0",
        "version": "1.0.0",
        "keywords": ["3D", "point cloud", "instance segmentation", "weak supervision", "uncertainty"],
        "distribution": [*(_file(path, one) for path, one in files.items()), *_file_sets(geometry)],
        "recordSet": [_scene_records()],
    }
    return content if license_.croissant is None else {**content, "license": license_.croissant}


def _context() -> dict[str, Any]:
    """The terms that Croissant's readers expect."""
    return {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "sc": "https://schema.org/",
        "cr": _CR,
        "rai": f"{_CR}RAI/",
        "dct": "http://purl.org/dc/terms/",
        "conformsTo": "dct:conformsTo",
        "data": {"@id": "cr:data", "@type": "@json"},
        "examples": {"@id": "cr:examples", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        **{term: f"cr:{term}" for term in _OF_CROISSANT},
    }


def _file(path: str, one: Mapping[str, Any]) -> dict[str, Any]:
    suffix = path[path.rindex(".") :]
    return {
        "@type": "cr:FileObject",
        "@id": path,
        "name": path,
        "contentUrl": path,
        "contentSize": f"{one['size']} B",
        "encodingFormat": _TYPES[suffix],
        "sha256": one["sha256"],
    }


def _file_sets(geometry: bool) -> list[dict[str, Any]]:
    labels = _file_set("labels", "labels/*.zarr.zip", "labels, one zarr v3 group in a zip file a scene")
    scans = _file_set("scans", "scans/*.npz", "scans with their boxes, one numpy archive a scene")
    return [labels, scans] if geometry else [labels]


def _file_set(name: str, includes: str, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        "description": description,
        "encodingFormat": "application/zip",
        "includes": includes,
    }


def _scene_records() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "scenes",
        "name": "scenes",
        "description": "one record a scene",
        "key": {"@id": "scenes/scene"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"scenes/{column}",
                "name": column,
                "description": meaning,
                "dataType": kind,
                "source": {"fileObject": {"@id": _SCENES}, "extract": {"column": column}},
            }
            for column, (kind, meaning) in COLUMNS.items()
        ],
    }
