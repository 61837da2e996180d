"""What stands between data and a page: arrays as text, and names that cannot become markup."""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_FOLDERS = re.compile(r"(?<![\w./~-])(?:~|[A-Za-z]:)?[/\\](?:[^/\\\s'\",;:()\[\]]+[/\\])+")


def script_json(value: Any) -> str:
    """JSON that may stand inside a ``<script>``: nothing in it can end the script or begin markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return "".join(_MARKUP.get(character, character) for character in text) if _has_markup(text) else text


def _has_markup(text: str) -> bool:
    return any(character in text for character in _MARKUP)


def escaped(text: str) -> str:
    """Text as the content or an attribute of an HTML element."""
    return html.escape(text, quote=True)


def label_text(text: str) -> str:
    """Text as a label of plotly, which reads some tags in labels."""
    return html.escape(text, quote=False)


def without_folders(text: str, known: tuple[str, ...] = ()) -> str:
    """Text with the folders of absolute paths taken out, ``known`` ones first: a page goes to other people."""
    for folder in sorted((folder for folder in known if folder.strip("/\\")), key=len, reverse=True):
        text = text.replace(folder.rstrip("/\\") + "/", "").replace(folder, "...")
    return _FOLDERS.sub("", text)


def packed(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Unsigned arrays of 1, 2 or 4 bytes as base64 of one zlib stream: ``arrays`` lists [name, bytes, length].

    Those of more than 1 byte are stored as differences, modulo their range, the low bytes of all before the next ones:
    sorted and smooth values then shrink by half. page.js undoes it.
    """
    listed, stream = [], []
    for name, values in arrays.items():
        width = values.dtype.itemsize
        if values.dtype.kind != "u" or width > 4 or values.ndim != 1:
            raise ValueError(f"{name}: only rows of uint8, uint16 and uint32 can be packed, not {values.dtype}")
        listed.append([name, width, len(values)])
        stream.append(_planes(values) if width > 1 else values.tobytes())
    content = zlib.compress(b"".join(stream), 9)
    return {"arrays": listed, "data": base64.b64encode(content).decode()}


def _planes(values: np.ndarray) -> bytes:
    difference = np.diff(values, prepend=values.dtype.type(0))  # unsigned: below zero it wraps around, as wanted
    little = difference.astype(values.dtype.newbyteorder("<"))
    return np.ascontiguousarray(little.view(np.uint8).reshape(len(values), values.dtype.itemsize).T).tobytes()
