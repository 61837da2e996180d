"""What a release must not tell: absolute paths, and the names of users and machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_ABSOLUTE = re.compile(r"(?<![\w.])(?:~\w*|[A-Za-z]:)?[\\/]+\w")
_HOME = re.compile(r"[\\/](?:home|Users|user|users)[\\/]+([^\\/\s'\"]+)")
_SHORTEST = 3
"""letters of a name below which it cannot be told from a word"""


def names_in_paths(texts: Iterable[str]) -> set[str]:
    """The users whose home folders occur in texts, ``/home/<user>/...`` and the like."""
    return {name for text in texts for name in _HOME.findall(text)}


@dataclass(frozen=True)
class Privacy:
    """Names that must not be told, whatever their case."""

    names: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Privacy:
        """All of ``names`` that are long enough to be told from words, and of hosts also the part before the dot."""
        parts = {part for name in names for part in (name, name.partition(".")[0])}
        return cls(frozenset(part.casefold() for part in parts if len(part) >= _SHORTEST))

    def tells(self, text: str) -> bool:
        """Whether a text has an absolute path or one of the names in it."""
        return _ABSOLUTE.search(text) is not None or self._pattern.search(text) is not None

    def cleaned(self, text: str) -> str:
        """A name, such as that of a file, with ``x`` in the place of what must not be told."""
        last = re.split(r"[\\/]", text)[-1] if _ABSOLUTE.search(text) else text
        return self._pattern.sub("x", last)

    def without(self, values: Mapping[str, Any], published: Iterable[str] = ()) -> tuple[dict[str, Any], list[str]]:
        """Nested plain values without the keys that tell, and the dotted names of these keys.

        ``published`` are dotted keys that hold names of scenes and classes, which every file of a release shows.
        """
        left_out: list[str] = []
        kept = self._kept(values, "", frozenset(published), left_out)
        return kept, left_out

    def _kept(
        self, values: Mapping[str, Any], before: str, published: frozenset[str], left_out: list[str]
    ) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in values.items():
            key = f"{before}{name}"
            if key in published:
                kept[name] = value
            elif self.tells(str(name)):
                left_out.append(f"{before}(a name)")
            elif isinstance(value, Mapping):
                kept[name] = self._kept(value, f"{key}.", published, left_out)
            elif any(self.tells(text) for text in _texts(value)):
                left_out.append(key)
            else:
                kept[name] = value
        return kept

    @property
    def _pattern(self) -> re.Pattern[str]:
        # `_` separates words here, so that `labels_of_alice` is found
        alternatives = "|".join(re.escape(name) for name in sorted(self.names, key=len, reverse=True))
        return re.compile(rf"(?<![^\W_])(?:{alternatives or '(?!)'})(?![^\W_])", re.IGNORECASE)


def _texts(value: Any) -> list[str]:
    """All texts in a value, keys of mappings included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for name, inner in value.items() for text in (str(name), *_texts(inner))]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return []
