"""YAML files as the user wrote them: values, and for each key the file and line that set it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from pipeline.errors import ConfigurationError

Key = tuple[str, ...]
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Origin:
    """Who wrote a value: ``label`` (file and line, or the option), ``folder`` where its paths start."""

    label: str
    folder: Path


@dataclass(frozen=True)
class Document:
    """One file, or all ``--set`` options together: nested values and the origin of every key in them."""

    label: str
    values: dict[str, Any]
    origins: dict[Key, Origin] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Plain scalars as YAML 1.2 reads them.

    YAML 1.1 would take the scene ids 0435_01 and 2024-05-01 for a number and a date, `off` for false and 1e-3 for text.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's interface)


_NUMBER = (
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    ("float", _NUMBER, [*"-+.0123456789"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


class _Reader:
    """Turns the nodes of one YAML text into plain values and notes the line of every key."""

    def __init__(self, text: bytes | str, label: str, folder: Path) -> None:
        self.label = label
        self.folder = folder
        self.origins: dict[Key, Origin] = {}
        self.duplicates: list[str] = []
        self._open: list[yaml.Node] = []
        try:
            self._loader = _Loader(text)
            self._root = self._loader.get_single_node()
            self.value = None if self._root is None else self._plain(self._root, ())
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{label} is not valid YAML: {_one_line(error)}") from error

    def _plain(self, node: yaml.Node, key: Key) -> Any:
        if node in self._open:
            raise yaml.constructor.ConstructorError(None, None, "an alias contains itself", node.start_mark)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, key)
            if isinstance(node, yaml.SequenceNode):
                return [self._plain(item, (*key, str(index))) for index, item in enumerate(node.value)]
            return self._loader.construct_object(node)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(name_node.value) if isinstance(name_node, yaml.ScalarNode) else "?"
            line = name_node.start_mark.line + 1
            inner = (*key, name)
            if name in values:
                first = self.origins[inner].label.rpartition(":")[2]
                self.duplicates.append(f"{self.label}:{line}: {dotted(inner)} is written twice, first in line {first}")
            self.origins[inner] = Origin(f"{self.label}:{line}", self.folder)
            values[name] = self._plain(value_node, inner)
        return values


def _one_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return problem if mark is None else f"{problem} (line {mark.line + 1}, column {mark.column + 1})"


def dotted(key: Sequence[str]) -> str:
    """A key as people write it: ``posteriors.engine``."""
    return ".".join(key)


Kind = Literal["configuration", "executor"]
"""what a document is about: what to compute, or where"""


def builtin_names(kind: Kind = "configuration") -> dict[str, Path]:
    """The documents that come with boxgp: name -> file."""
    folder = Path(str(resources.files("configs")))
    if kind == "executor":
        folder /= "executors"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_document(name_or_path: str, folder: Path, kind: Kind = "configuration") -> Path:
    """The file of a built-in name or of a path (anything with a YAML suffix or a separator) relative to ``folder``.

    Raises ConfigurationError where there is none.
    """
    if name_or_path.endswith(SUFFIXES) or "/" in name_or_path or "\\" in name_or_path:
        path = folder / Path(name_or_path).expanduser()
        if not path.is_file():
            reason = "is a folder, not a YAML file" if path.is_dir() else "does not exist"
            raise ConfigurationError(f"{kind} file {path} {reason}")
        return path
    builtins = builtin_names(kind)
    if name_or_path in builtins:
        return builtins[name_or_path]
    near = get_close_matches(name_or_path, builtins, n=1)
    hint = f"; did you mean {near[0]}?" if near else "."
    listing = ", ".join(builtins) or "none"
    raise ConfigurationError(
        f"there is no built-in {kind} {name_or_path!r}{hint} Built-in: {listing}. "
        f"A file of your own needs its suffix: {name_or_path}.yaml or ./{name_or_path}"
    )


def read_document(path: Path, label: str) -> Document:
    """One file, without its base; raises ConfigurationError for text that is not a YAML mapping without duplicates."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"configuration file {path} cannot be read: {error.strerror}") from error
    reader = _Reader(text, label, path.absolute().parent)
    if reader.duplicates:
        raise ConfigurationError("\n".join(reader.duplicates))
    if reader.value is not None and not isinstance(reader.value, dict):
        raise ConfigurationError(
            f"{label} holds a {type(reader.value).__name__} where keys with values are expected, such as `seed: 0`"
        )
    return Document(label, reader.value or {}, reader.origins)


def read_chain(name_or_path: str, kind: Kind = "configuration") -> tuple[Path, list[Document]]:
    """The file that was asked for, and the documents of the run: the deepest base first, the file itself last.

    ``base`` is taken out of their values. Raises ConfigurationError for missing files, wrong YAML and circles.
    """
    path = find_document(name_or_path, Path(), kind)
    documents: list[Document] = []
    seen: list[Path] = []
    current: Path | None = path
    while current is not None:
        resolved = current.resolve()
        if resolved in seen:
            circle = " -> ".join(str(file) for file in [*seen[seen.index(resolved) :], resolved])
            raise ConfigurationError(f"`base` leads in a circle: {circle}")
        seen.append(resolved)
        document = read_document(current, str(current))
        documents.insert(0, document)
        current = _base(document, current, kind)
    return path, documents


def _base(document: Document, path: Path, kind: Kind) -> Path | None:
    base = document.values.pop("base", None)
    if base is None:
        return None
    where = document.origins[("base",)].label
    if not isinstance(base, str):
        raise ConfigurationError(f"{where}: base: {base!r} given; expected one built-in name or the path of one file")
    try:
        return find_document(base, path.parent, kind)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: base: {error}") from error


def read_executor(name_or_path: str) -> list[Document]:
    """The documents of ``--executor``; raises ConfigurationError where they hold anything but the key ``executor``."""
    _, documents = read_chain(name_or_path, "executor")
    for document in documents:
        for key in document.values:
            if key != "executor":
                where = document.origins[(key,)].label
                raise ConfigurationError(f"{where}: {key}: the file of an executor holds the key `executor` alone")
    return documents


def read_overrides(overrides: Sequence[str]) -> Document:
    """All ``--set a.b=v`` as one document; values are YAML and paths in them relate to the current folder.

    Raises ConfigurationError where ``=`` or the key is missing or the value is not YAML.
    """
    document = Document("--set", {})
    for override in overrides:
        name, equals, text = override.partition("=")
        key = tuple(part.strip() for part in name.split("."))
        if not equals or not all(key):
            raise ConfigurationError(f"--set {override}: expected a key, `=` and a value: --set section.key=value")
        label = f"--set {override}"
        reader = _Reader(text, label, Path.cwd())
        if reader.duplicates:
            raise ConfigurationError("\n".join(reader.duplicates))
        _put(document, key, reader.value, Origin(label, Path.cwd()))
    return document


def _put(document: Document, key: Key, value: Any, origin: Origin) -> None:
    inner = document.values
    for depth, part in enumerate(key[:-1], start=1):
        document.origins.setdefault(key[:depth], origin)
        if not isinstance(inner.get(part), dict):
            inner[part] = {}
        inner = inner[part]
    inner[key[-1]] = value
    for nested in _keys(value, key):
        document.origins[nested] = origin


def _keys(value: Any, key: Key) -> Iterator[Key]:
    yield key
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _keys(inner, (*key, name))


def origin_of(origins: Mapping[Key, Origin], key: Sequence[str]) -> Origin | None:
    """The origin of a key, or of the nearest mapping around it that somebody wrote."""
    for length in range(len(key), 0, -1):
        found = origins.get(tuple(key[:length]))
        if found is not None:
            return found
    return None
