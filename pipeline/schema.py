"""What a configuration may hold, read from the JSON schema of its pydantic model: keys, variants, types, meanings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pipeline.documents import Key, dotted

Node = Mapping[str, Any]
_TYPES = {
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "null": "null",
    "object": "keys with values",
    "string": "text",
}
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


@dataclass(frozen=True)
class Option:
    """One key that may be written; ``choice`` and ``variant`` tell where: when key ``choice`` has value ``variant``."""

    key: str
    choice: str
    variant: str
    type: str
    default: str
    required: bool
    meaning: str


class Schema:
    """A JSON schema with its references resolved on the way down."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.root: Node = schema
        self._definitions = schema.get("$defs", {})

    def resolve(self, node: Node) -> Node:
        """The node itself where it is a reference, an optional mapping (``null`` dropped) or wraps one other node."""
        while "$ref" in node:
            target = self._definitions[node["$ref"].rpartition("/")[2]]
            node = {**target, **{name: value for name, value in node.items() if name != "$ref"}}
        members = [member for member in node.get("anyOf", ()) if member.get("type") != "null"]
        if len(members) == 1 and "properties" in (inner := self.resolve(members[0])):
            return inner
        return node

    def variants(self, node: Node) -> tuple[str, dict[str, Node]] | None:
        """Discriminating key and variants by its value, for a node that is a choice between mappings."""
        node = self.resolve(node)
        members = [node, *(self.resolve(member) for member in node.get("anyOf", ()))]
        for member in members:
            if "discriminator" in member:
                choice = member["discriminator"]
                order = [variant["$ref"] for variant in member["oneOf"]]
                tags = sorted(choice["mapping"].items(), key=lambda item: order.index(item[1]))
                return choice["propertyName"], {tag: self.resolve({"$ref": target}) for tag, target in tags}
        return None

    def variant(self, node: Node, values: Any) -> Node:
        """The variant that ``values`` chooses; the node itself where there is no choice or no valid one."""
        choice = self.variants(node)
        if choice is None or not isinstance(values, Mapping):
            return self.resolve(node)
        chosen = values.get(choice[0])
        return choice[1].get(chosen, {}) if isinstance(chosen, str) else {}

    def properties(self, node: Node, values: Any) -> Mapping[str, Node]:
        """The keys that are valid where ``values`` stand, with their nodes."""
        properties: Mapping[str, Node] = self.variant(node, values).get("properties", {})
        return properties

    def inner(self, node: Node, values: Any, name: str) -> Node:
        """The node of one key of a mapping or one position of a list; empty where nothing is known about it."""
        node = self.variant(node, values)
        if "properties" in node:
            return node["properties"].get(name, {})
        if isinstance(node.get("additionalProperties"), Mapping):
            return node["additionalProperties"]
        lists = [member for member in (node, *node.get("anyOf", ())) if member.get("type") == "array"]
        return lists[0].get("items", {}) if len(lists) == 1 else {}

    def locate(self, location: Sequence[str | int], values: Any) -> tuple[Key, Node, Any]:
        """Key, node and value that pydantic's ``location`` means: without the names of chosen variants in it.

        The value is None where the key is missing.
        """
        key: Key = ()
        node = self.root
        parts = iter(location)
        for part in parts:
            name = str(part)
            present = _has(values, part)
            if not present and name not in self.properties(node, values):
                continue  # the name of a type, where several are allowed
            node = self.inner(node, values, name)
            key = (*key, name)
            values = values[part] if present else None
            if self.variants(node) is not None:
                next(parts, None)  # the name of the chosen variant
        return key, node, values

    def expected(self, node: Node) -> str:
        """What may be written at a node, in words."""
        if "$ref" in node:
            node = self.resolve(node)
        if "enum" in node:
            return " | ".join(_text(value) for value in node["enum"])
        if "const" in node:
            return _text(node["const"])
        if "anyOf" in node:
            alternatives = list(dict.fromkeys(self.expected(member) for member in node["anyOf"]))
            return (" | " if all("enum" in member for member in node["anyOf"]) else " or ").join(alternatives)
        if node.get("type") == "array":
            return self._expected_list(node)
        if node.get("format") in {"path", "file-path", "directory-path"}:
            return "path"
        bounds = [f"{sign} {node[bound]:g}" for bound, sign in _BOUNDS.items() if bound in node]
        words = _TYPES.get(node.get("type", "object"), "value")
        return ", ".join([" ".join([words, *bounds[:1]]), *bounds[1:]])

    def _expected_list(self, node: Node) -> str:
        if "prefixItems" in node:
            return f"list of {len(node['prefixItems'])}: " + ", ".join(map(self.expected, node["prefixItems"]))
        least, most = node.get("minItems"), node.get("maxItems")
        count = f"{least} " if least is not None and least == most else ""
        return f"list of {count}{self.expected(node.get('items', {}))}"

    def options(self, node: Node, prefix: Key = (), choice: str = "", variant: str = "") -> Iterator[Option]:
        """All keys below a node, depth first; those of a choice between mappings once for each variant."""
        found = self.variants(node)
        if found is not None:
            for tag, member in found[1].items():
                yield from self.options(member, prefix, dotted((*prefix, found[0])), tag)
            return
        node = self.resolve(node)
        for name, inner in node.get("properties", {}).items():
            key = (*prefix, name)
            resolved = self.resolve(inner)
            if self.variants(inner) is not None or "properties" in resolved:
                yield from self.options(inner, key, choice, variant)
                continue
            chooses = dotted(key) == choice
            required = chooses or name in node.get("required", ())
            meaning = plain_text((node if chooses else resolved).get("description", ""))
            default = _text(resolved.get("default"))
            yield Option(dotted(key), choice, variant, self.expected(resolved), default, required, meaning)

    def nearest(self, key: Key, node: Node, values: Any) -> str | None:
        """The valid key most like a wrong one: first among its neighbours, then the same name in another section."""
        parent, name = key[:-1], key[-1]
        near = get_close_matches(name, self.properties(node, values), n=1)
        if near:
            return dotted((*parent, near[0]))
        everywhere = {option.key: None for option in self.options(self.root)}
        for candidate in everywhere:
            if candidate.rpartition(".")[2] == name:
                return candidate
        names = {candidate.rpartition(".")[2]: candidate for candidate in reversed(everywhere)}
        near = get_close_matches(name, names, n=1, cutoff=0.75)
        return names[near[0]] if near else None


def plain_text(text: str) -> str:
    """Text of a docstring or description on one line, with single backquotes."""
    return " ".join(text.replace("``", "`").split())


def _has(values: Any, part: str | int) -> bool:
    if isinstance(values, Mapping):
        return part in values
    return isinstance(values, list) and isinstance(part, int) and part < len(values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
