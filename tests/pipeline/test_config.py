"""Configurations: files, bases, overrides, paths, splits, and what comes out of them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from toy_configs import STAGES, KernelConfig, LabelsConfig, RoomsConfig, load, refusal, write

from pipeline.config import configuration_schema

pytestmark = pytest.mark.usefixtures("config_folder")


# Where configurations come from


def test_a_builtin_is_found_by_name() -> None:
    config = load("demo")
    assert (config.name, config.seed, config.strict) == ("demo", 7, False)
    assert config.sections["scans"] == RoomsConfig(count=2, noise=0.5)
    assert config.sections["labels"] == LabelsConfig(steps=3, cache=Path.cwd() / "cache")


@pytest.mark.parametrize("decoy", ["file", "folder"])
def test_the_current_folder_does_not_shadow_a_builtin(config_folder: Path, decoy: str) -> None:
    if decoy == "file":
        (config_folder / "demo").write_text("seed: 99\n")
    else:
        (config_folder / "demo").mkdir()
        (config_folder / "demo" / "demo.yaml").write_text("seed: 99\n")
    assert load("demo").seed == 7


def test_a_suffix_or_a_separator_means_a_file() -> None:
    write("base: demo\nseed: 1\n", "demo.yaml")
    write("base: demo\nseed: 2\n", "./other")
    assert load("demo.yaml").seed == 1
    assert load("./other").seed == 2
    assert load("./other").name == "other"


def test_an_unknown_name_gets_the_nearest_and_all_builtins() -> None:
    message = refusal("dmeo")
    assert "did you mean demo?" in message
    assert "demo, paper" in message


@pytest.mark.parametrize("name", ["absent.yaml", "absent/demo"])
def test_a_missing_file_is_named(name: str) -> None:
    assert re.search(rf"{name} does not exist", refusal(name))


def test_a_folder_is_no_configuration(config_folder: Path) -> None:
    (config_folder / "runs.yaml").mkdir()
    assert "is a folder" in refusal("runs.yaml")


# Bases and merging


def test_a_base_is_merged_deeply_and_lists_are_replaced() -> None:
    write("base: demo\nseed: 3\nlabels: {kernel: {length: 2.0}, extra: [a, b], steps: 8}\n", "lower.yaml")
    write("base: lower.yaml\nlabels: {kernel: {table: t.csv}, extra: [c]}\n", "upper.yaml")
    labels = load("upper.yaml").sections["labels"]
    assert labels.kernel == KernelConfig(length=2.0, table=Path.cwd() / "t.csv")
    assert labels.extra == (Path.cwd() / "c",)
    assert labels.steps == 8
    assert load("upper.yaml").seed == 3


def test_a_base_path_is_relative_to_the_file_that_names_it() -> None:
    write("scans: {source: rooms}\nseed: 5\n", "shared/common.yaml")
    write("base: ../shared/common.yaml\n", "mine/run.yaml")
    assert load("mine/run.yaml").seed == 5


def test_a_builtin_has_a_builtin_base() -> None:
    config = load("paper")
    assert config.sections["labels"].engine == "regression"
    assert config.sections["labels"].steps == 3


@pytest.mark.parametrize("base", ["one.yaml", "two.yaml"])
def test_bases_in_a_circle_are_refused(base: str) -> None:
    write(f"base: {base}\n", "one.yaml")
    write("base: one.yaml\n", "two.yaml")
    message = refusal("one.yaml")
    assert "circle" in message
    assert message.count("one.yaml") >= 2


def test_a_wrong_base_names_the_line_that_wrote_it() -> None:
    write("seed: 1\nbase: paperr\n")
    message = refusal("mine.yaml")
    assert message.startswith("mine.yaml:2: base:")
    assert "did you mean paper?" in message
    assert "one built-in name" in refusal(write("base: [demo, paper]\n"))


def test_missing_and_empty_sections_take_the_defaults() -> None:
    write("scans: {source: rooms}\nlabels:\nsplits:\n")
    assert load("mine.yaml").sections["labels"].steps == 50


def test_an_empty_section_keeps_what_the_base_says() -> None:
    write("base: demo\nlabels:\n")
    assert load("mine.yaml").sections["labels"].steps == 3


# Overrides


def test_overrides_are_yaml_values_and_the_last_wins() -> None:
    config = load("demo", "labels.steps=5", "labels.steps=6", "labels.kernel={length: 3.5}", "strict=true")
    assert config.sections["labels"].steps == 6
    assert config.sections["labels"].kernel.length == 3.5
    assert config.strict


def test_a_value_may_hold_an_equals_sign() -> None:
    assert load("demo", "scans.source=folder", "scans.path=a=b").sections["scans"].path == Path.cwd() / "a=b"


@pytest.mark.parametrize("override", ["labels.steps", "=5", "labels..steps=1", ".seed=1"])
def test_an_override_without_key_or_value_is_refused(override: str) -> None:
    message = refusal("demo", override)
    assert f"--set {override}" in message
    assert "section.key=value" in message


def test_a_wrong_override_is_quoted_with_the_nearest_key() -> None:
    message = refusal("demo", "labels.enigne=laplace")
    assert "--set labels.enigne=laplace: unknown key labels.enigne; did you mean labels.engine?" in message


def test_base_cannot_be_overridden() -> None:
    assert "unknown key base" in refusal("demo", "base=paper")


def test_an_override_with_broken_yaml_is_refused() -> None:
    assert "--set labels.extra=[a" in refusal("demo", "labels.extra=[a")


# Paths


def test_paths_are_relative_to_the_file_that_wrote_them() -> None:
    write(
        "scans: {source: folder, path: scans}\nlabels: {kernel: {table: ../t.csv}, extra: [a], lookup: {k: b}}\n",
        "data/lower.yaml",
    )
    write("base: ../data/lower.yaml\nlabels: {extra: [c, /d]}\n", "runs/mine.yaml")
    here = Path.cwd()
    config = load("runs/mine.yaml", "labels.cache=e")
    labels = config.sections["labels"]
    assert config.sections["scans"].path == here / "data" / "scans"
    assert labels.kernel.table == here / "t.csv"
    assert labels.extra == (here / "runs" / "c", Path("/d"))
    assert labels.lookup == {"k": here / "data" / "b"}
    assert labels.cache == here / "e"


def test_a_default_path_is_relative_to_the_current_folder() -> None:
    write("base: demo\nlabels: {steps: 1}\n", "elsewhere/mine.yaml")
    assert load("elsewhere/mine.yaml").sections["labels"].cache == Path.cwd() / "cache"


def test_the_home_folder_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    write("base: demo\nlabels: {cache: ~/scans}\n")
    assert load("mine.yaml").sections["labels"].cache == Path("/home/someone/scans")


# Splits


def test_splits_are_lists_or_files_beside_the_configuration() -> None:
    write("one\n\n  two  \n", "data/val.txt")
    write("base: demo\nsplits: {train: [three], val: val.txt}\n", "data/mine.yaml")
    assert load("data/mine.yaml").splits == {"train": ("three",), "val": ("one", "two"), "test": ()}


def test_wrong_splits_are_named() -> None:
    Path("binary.txt").write_bytes(b"\xff\xfe")
    write("base: demo\nsplits: {train: absent.txt, val: [../up], test: binary.txt}\n")
    message = refusal("mine.yaml")
    assert "has 3 problems" in message
    assert re.search(r"mine.yaml:2: splits.train: .*absent.txt.* cannot be read", message)
    assert "mine.yaml:2: splits.val: '../up' is no scene id" in message
    assert "it is not a text file" in message
    assert "splits.train: 3 given; expected list of text or path" in refusal("demo", "splits.train=3")
    assert "splits.train.1: 3 given" in refusal("demo", "splits.train=[a, 3]")


# The resolved configuration


def test_the_resolved_configuration_loads_back_to_the_same(config_folder: Path) -> None:
    write("one\n", "val.txt")
    write(
        "base: demo\nstrict: true\nscans: {source: scannet, path: ./s, classes: [a, 'yes']}\n"
        "labels: {high: .inf, low: 1e-7, kernel: {table: t}, width: 3}\nsplits: {val: val.txt, test: ['1']}\n"
    )
    config = load("mine.yaml", "labels.extra=[x]")
    away = config_folder / "away"
    away.mkdir()
    (away / "mine.yaml").write_text(yaml.safe_dump(config.resolved()))
    os.chdir(away)
    again = load("mine.yaml")
    assert again == config
    assert again.resolved() == config.resolved()


def test_the_resolved_configuration_is_complete() -> None:
    resolved = load("demo").resolved()
    assert set(resolved) == {"seed", "rounds", "strict", "splits", "scans", "labels"}
    assert resolved["labels"]["kernel"] == {"length": 0.5, "table": None}
    assert resolved["splits"] == {"train": [], "val": [], "test": []}


def test_a_configuration_cannot_be_changed() -> None:
    config = load("demo")
    with pytest.raises(AttributeError):
        config.seed = 1  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        config.sections["labels"].steps = 1


# Listings


def test_options_are_listed_with_type_default_and_meaning() -> None:
    schema = configuration_schema(STAGES)
    options = {(option.choice, option.variant, option.key): option for option in schema.options(schema.root)}
    count = options["scans.source", "rooms", "scans.count"]
    assert (count.type, count.default, count.required) == ("whole number >= 1, <= 9", "4", False)
    assert count.meaning == "how many rooms"
    assert options["scans.source", "folder", "scans.path"].required
    assert options["scans.source", "folder", "scans.source"].required
    assert options["scans.source", "rooms", "scans.source"].meaning == "Built-in rooms."
    assert options["", "", "labels.kernel.length"].default == "0.5"
    assert options["", "", "labels.kernel.table"].type == "path or null"
    assert options["", "", "splits.train"].type == "list of text or path"
