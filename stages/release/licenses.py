"""Licenses of data sets, as Hugging Face and SPDX name them."""

from __future__ import annotations

import re
from dataclasses import dataclass

SPDX: dict[str, str] = {
    name.lower(): name
    for name in (
        "Apache-2.0", "CC-BY-2.0", "CC-BY-2.5", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-NC-2.0", "CC-BY-NC-3.0",
        "CC-BY-NC-4.0", "CC-BY-NC-ND-3.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0",
        "CC-BY-ND-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0",
        "CDLA-Sharing-1.0", "C-UDA-1.0", "GFDL-1.3", "MIT", "ODbL-1.0", "ODC-By-1.0", "PDDL-1.0",
    )
}  # fmt: skip
"""Lower case -> SPDX identifier."""
_HUGGING_FACE = {
    "c-uda-1.0": "c-uda",
    "gfdl-1.3": "gfdl",
    "odbl-1.0": "odbl",
    "odc-by-1.0": "odc-by",
    "pddl-1.0": "pddl",
}
_SHORT = {short: long for long, short in _HUGGING_FACE.items()}


@dataclass(frozen=True)
class License:
    """One license in the words of those who read it."""

    card: dict[str, str]
    """keys of Hugging Face's front matter; ``unknown`` where nobody named a license, ``other`` for one it has no name
    for"""
    croissant: str | None
    """address of its text at SPDX, or its name; None where unknown"""
    words: str


def license_of(given: str | None) -> License:
    """The license that the user named, in whatever case."""
    if given is None or given.strip().lower() in {"", "unknown"}:
        return License({"license": "unknown"}, None, "unknown (whoever made this release named none)")
    name = given.strip()
    identifier = SPDX.get(_SHORT.get(name.lower(), name.lower()))
    if identifier is not None:
        short = identifier.lower()
        address = f"https://spdx.org/licenses/{identifier}.html"
        return License({"license": _HUGGING_FACE.get(short, short)}, address, identifier)
    slug = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.") or "other"
    return License({"license": "other", "license_name": slug}, name, name)
