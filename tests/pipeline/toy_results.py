"""A result with every kind of array that stages store."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.stage import Array, Result

MANIFEST: dict[str, Any] = {"fingerprint": "f"}
RESULT = Result(
    {
        "xyz": Array(np.arange(30, dtype=np.float32).reshape(10, 3), ("point", "axis")),
        "zero": Array(np.zeros((4, 5), bool), ("object", "region")),
        "empty": Array(np.zeros((0, 6), np.float32), ("object", "corner")),
        "scalar": Array(np.array(3, np.int64), ()),
        "half": Array(np.array([0.1, np.inf], np.float16), ("region",)),
        "small": Array(np.array([0, 255], np.uint8), ("region",)),
        "xyz_origin": Array(np.zeros(3), ("axis",)),
        "column_major": Array(np.asfortranarray(np.arange(6.0).reshape(2, 3)), ("row", "column")),
        "missing": Array(np.array([np.nan, -1.0], np.float32), ("region",)),
    },
    {"format": "toy", "names": ["b", "ä 椅子"], "größe": 0.5},
    files={"table.txt": b"1\n", "figures/one.svg": b"<svg/>"},
)
