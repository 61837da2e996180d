"""The configuration of a run: YAML files and ``--set`` options merged, checked as a whole and frozen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from pipeline.documents import Key, Origin, dotted, origin_of, read_chain, read_executor, read_overrides
from pipeline.errors import ConfigurationError
from pipeline.executors.config import ExecutorConfig, LocalExecutor
from pipeline.schema import Node, Schema
from pipeline.stage import SCENE_ID, Stage, StageConfig

SPLITS = ("train", "val", "test")


class Splits(StageConfig):
    """Which scenes are for what: lists of ids, or text files with one id a line."""

    train: tuple[str, ...] | Path = Field(default=(), description="scenes that training reads: ids, or a file of them")
    val: tuple[str, ...] | Path = Field(default=(), description="scenes that validation reads")
    test: tuple[str, ...] | Path = Field(default=(), description="scenes kept for the final test")


class General(StageConfig):
    """The keys outside the sections of the stages."""

    seed: int = Field(0, ge=0, description="all random numbers of the run derive from it")
    rounds: int = Field(
        1,
        ge=1,
        le=20,
        description="how often labels are made and a network trained on them; each time but the first, what the "
        "network has learnt before makes better labels",
    )
    strict: bool = Field(False, description="refuse steps over all scenes while a scene of them is missing")
    splits: Splits = Field(Splits(), description="scenes for training, validation and test")
    executor: ExecutorConfig = Field(LocalExecutor(), description="where the run computes; see --executor")


@dataclass(frozen=True)
class RunConfig:
    """A validated configuration: everything that decides the results of a run."""

    name: str
    seed: int
    strict: bool
    sections: Mapping[str, Any]
    """stage name -> its validated configuration object"""
    splits: Mapping[str, tuple[str, ...]]
    """train, val and test -> scene ids; empty where nothing was given"""
    rounds: int = 1
    executor: ExecutorConfig = field(default_factory=LocalExecutor, compare=False)
    """where it computes, on which no result depends"""

    def resolved(self) -> dict[str, Any]:
        """Plain values of every key that decides results, defaults included, paths absolute.

        As a YAML file they load back to the same.
        """
        sections = {name: section.model_dump(mode="json") for name, section in self.sections.items()}
        splits = {name: list(scenes) for name, scenes in self.splits.items()}
        return {"seed": self.seed, "rounds": self.rounds, "strict": self.strict, "splits": splits, **sections}


def configuration_model(stages: Sequence[type[Stage]]) -> type[BaseModel]:
    """The model of a whole file: the general keys and one section a stage."""
    sections: dict[str, Any] = {stage.name: (stage.Config, ...) for stage in stages}
    return create_model("Configuration", __base__=General, **sections)


def configuration_schema(stages: Sequence[type[Stage]]) -> Schema:
    """What may be written in a file, for listings and suggestions."""
    return Schema(configuration_model(stages).model_json_schema())


def load_config(
    name_or_path: str, overrides: Sequence[str], stages: Sequence[type[Stage]], executor: str | None = None
) -> RunConfig:
    """The configuration of a built-in name or YAML file with its bases, changed by ``--set a.b=v`` overrides.

    ``executor`` is the built-in name or YAML file of one. Later documents win: base, file, executor, overrides;
    mappings are merged, lists and scalars replaced. Raises ConfigurationError that lists all problems at once, each
    with file, key and what is valid there.
    """
    path, documents = read_chain(name_or_path)
    documents += [] if executor is None else read_executor(executor)
    documents.append(read_overrides(overrides))
    model = configuration_model(stages)
    schema = Schema(model.model_json_schema())
    mappings = {"splits", "executor", *(stage.name for stage in stages)}
    values: dict[str, Any] = {"executor": {"kind": "local"}}  # unless a document says otherwise
    origins: dict[Key, Origin] = {}
    for document in documents:
        # a section without keys under it reads as null
        written = {key: value for key, value in document.values.items() if value is not None or key not in mappings}
        values = _merge(schema, schema.root, values, written)
        origins |= document.origins
    for stage in stages:
        values.setdefault(stage.name, {})
    validated, errors = _validated(model, values)
    if errors:
        raise _refusal(name_or_path, [_problem(error, schema, values, origins, path) for error in errors])
    return _run_config(path.stem, _absolute(validated, (), origins, Path.cwd()), origins, stages)


def _validated(model: type[BaseModel], values: Mapping[str, Any]) -> tuple[Any, list[ErrorDetails]]:
    """The model's object, or what is wrong with ``values``."""
    try:
        # strict JSON: a path may be text and a tuple a list, but "3" is no number and 1 is not true
        model.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        # JSON has no paths: one that turns up is a default, which JSON's rules wrongly refuse
        errors = [detail for detail in error.errors(include_url=False) if not isinstance(detail["input"], Path)]
        if errors:
            return None, errors
    try:
        return model.model_validate(values), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _merge(schema: Schema, node: Node, below: Any, above: Any) -> Any:
    """``above`` laid over ``below``; where it chooses another variant, inherited keys that this lacks are dropped."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    choice = schema.variants(node)
    if choice is not None:
        name, variants = choice
        if name in below and name in above and below[name] != above[name]:
            valid = schema.properties(node, above) if above[name] in variants else below
            below = {key: value for key, value in below.items() if key in valid}
    merged = dict(below)
    for key, value in above.items():
        merged[key] = (
            _merge(schema, schema.inner(node, {**below, **above}, key), below[key], value) if key in below else value
        )
    return merged


def _refusal(name: str, problems: Sequence[str]) -> ConfigurationError:
    problems = list(dict.fromkeys(problems))
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return ConfigurationError("\n  ".join([f"configuration {name} has {count}:", *problems]))


def _problem(
    detail: ErrorDetails, schema: Schema, values: Mapping[str, Any], origins: Mapping[Key, Origin], path: Path
) -> str:
    """One problem in words: who wrote it, the key, what was given, what is valid."""
    key, node, given = schema.locate(detail["loc"], values)
    origin = origin_of(origins, key)
    where = str(path) if origin is None else origin.label
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"{where}: {_unknown_key(key, schema, values)}"
    if kind in {"missing", "union_tag_not_found"}:
        if kind == "union_tag_not_found":
            choice = schema.variants(node)
            key, node = ((*key, choice[0]), {"enum": list(choice[1])}) if choice else (key, node)
        meaning = f" ({node['description']})" if "description" in node else ""
        how = f"write it there, or --set {dotted(key)}=VALUE"
        return f"{where}: {dotted(key)} is required{meaning}: {schema.expected(node)}; {how}"
    if kind == "union_tag_invalid":
        choice = schema.variants(node)
        if choice is not None and isinstance(given, Mapping):
            key, node, given = (*key, choice[0]), {"enum": list(choice[1])}, given[choice[0]]
            where = origins[key].label if key in origins else where
    if kind in {"value_error", "assertion_error"}:
        return f"{where}: {dotted(key)}: {detail['msg'].partition(', ')[2]}"
    expected = schema.expected(node) if node else detail["msg"].removeprefix("Input should be ")
    near = get_close_matches(given, node.get("enum", ()), n=1) if isinstance(given, str) else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{where}: {dotted(key)}: {json.dumps(given, default=str)} given; expected {expected}{hint}"


def _unknown_key(key: Key, schema: Schema, values: Mapping[str, Any]) -> str:
    parent: Node = schema.root
    inside: Any = values
    for part in key[:-1]:
        parent, inside = schema.inner(parent, inside, part), inside[part]
    message = f"unknown key {dotted(key)}"
    choice = schema.variants(parent)
    owners = [tag for tag, node in choice[1].items() if key[-1] in node.get("properties", {})] if choice else []
    if choice is not None and owners:
        message += f" for {choice[0]} {inside[choice[0]]} (it belongs to {choice[0]} {', '.join(owners)})"
    elif (near := schema.nearest(key, parent, inside)) is not None:
        message += f"; did you mean {near}?"
    section = f"of {dotted(key[:-1])}" if key[:-1] else "at the top"
    return f"{message} Valid keys {section}: {', '.join(_valid_keys(schema, parent, inside, key))}"


def _valid_keys(schema: Schema, parent: Node, inside: Any, key: Key) -> list[str]:
    return [*(["base"] if len(key) == 1 else []), *schema.properties(parent, inside)]


def _absolute(value: Any, key: Key, origins: Mapping[Key, Origin], folder: Path) -> Any:
    """``value`` with every path absolute: relative to the file that wrote it, defaults to the current folder."""
    if isinstance(value, BaseModel):
        fields = {}
        for name in type(value).model_fields:
            inner = (*key, name)
            writer = origins[inner].folder if inner in origins else Path.cwd()
            fields[name] = _absolute(getattr(value, name), inner, origins, writer)
        return value.model_copy(update=fields)
    if isinstance(value, Path):
        return Path(os.path.normpath(folder / value.expanduser()))
    if isinstance(value, dict):
        return {name: _absolute(inner, (*key, str(name)), origins, folder) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_absolute(inner, (*key, str(at)), origins, folder) for at, inner in enumerate(value))
    return value


def _run_config(name: str, validated: Any, origins: Mapping[Key, Origin], stages: Sequence[type[Stage]]) -> RunConfig:
    problems: list[str] = []
    splits: dict[str, tuple[str, ...]] = {}
    for split in SPLITS:
        origin = origin_of(origins, ("splits", split))
        where = f"{origin.label if origin else name}: splits.{split}"
        given = getattr(validated.splits, split)
        try:
            splits[split] = read_scene_ids(given) if isinstance(given, Path) else given
            check_scene_ids(splits[split])
        except ConfigurationError as error:
            problems.append(f"{where}: {error}")
    if problems:
        raise _refusal(name, problems)
    sections = {stage.name: getattr(validated, stage.name) for stage in stages}
    return RunConfig(name, validated.seed, validated.strict, sections, splits, validated.rounds, validated.executor)


def read_scene_ids(path: Path) -> tuple[str, ...]:
    """The scene ids of a text file, one a line; raises ConfigurationError where it cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise ConfigurationError(f"{path}, a list of scene ids, cannot be read: {reason}") from error
    return tuple(line.strip() for line in lines if line.strip())


def check_scene_ids(scenes: Sequence[str]) -> None:
    """Raises ConfigurationError for what cannot be the id of a scene."""
    wrong = [scene for scene in scenes if SCENE_ID.fullmatch(scene) is None]
    if wrong:
        raise ConfigurationError(
            f"{wrong[0]!r} is no scene id: letters, digits, `.`, `_` and `-`, the first a letter or digit"
        )
