"""Configurations: files, bases, overrides, variants, paths, and what a wrong one is told."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml
from pydantic import Field, model_validator

from pipeline.config import RunConfig, configuration_schema, load_config
from pipeline.errors import ConfigurationError
from pipeline.stage import Result, SceneJob, SceneStage, Stage, StageConfig


class FolderConfig(StageConfig):
    source: Literal["folder"] = "folder"
    path: Path = Field(description="folder of the scans")
    suffix: str = "npz"


class ScannetConfig(StageConfig):
    source: Literal["scannet"] = "scannet"
    path: Path
    classes: tuple[str, ...] = ("chair",)


class RoomsConfig(StageConfig):
    """Built-in rooms."""

    source: Literal["rooms"] = "rooms"
    count: int = Field(4, ge=1, le=9, description="how many rooms")
    noise: float = 0.0


class KernelConfig(StageConfig):
    length: float = Field(0.5, gt=0)
    table: Path | None = None


class LabelsConfig(StageConfig):
    engine: Literal["laplace", "regression"] = "laplace"
    kernel: KernelConfig = KernelConfig()
    steps: int = 50
    exact: bool = False
    extra: tuple[Path, ...] = ()
    lookup: dict[str, Path] = Field(default_factory=dict)
    width: int | Literal["auto"] = "auto"
    low: float = 0.0
    high: float = 1.0
    cache: Path = Path("cache")

    @model_validator(mode="after")
    def _ordered(self) -> LabelsConfig:
        if self.low > self.high:
            raise ValueError("low lies above high")
        return self


class _Silent(SceneStage):
    version = 1
    inputs: ClassVar[tuple[str, ...]] = ()

    def run_scene(self, job: SceneJob) -> Result:
        raise NotImplementedError(job.scene)


class Scans(_Silent):
    name = "scans"
    Config: ClassVar[Any] = Annotated[FolderConfig | ScannetConfig | RoomsConfig, Field(discriminator="source")]


class Labels(_Silent):
    name = "labels"
    inputs = ("scans",)
    Config = LabelsConfig


STAGES: list[type[Stage]] = [Scans, Labels]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder and one built-in configuration, `demo`."""
    builtins = tmp_path / "builtins"
    builtins.mkdir()
    (builtins / "demo.yaml").write_text("seed: 7\nscans: {source: rooms, count: 2, noise: 0.5}\nlabels: {steps: 3}\n")
    (builtins / "paper.yaml").write_text("base: demo\nlabels: {engine: regression}\n")
    monkeypatch.setattr("importlib.resources.files", lambda package: {"configs": builtins}[package])
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    return current


def write(text: str, name: str = "mine.yaml") -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return name


def load(name: str, *overrides: str, stages: Sequence[type[Stage]] = STAGES) -> RunConfig:
    return load_config(name, overrides, stages)


def refusal(name: str, *overrides: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(name, *overrides)
    return str(caught.value)


# Where configurations come from


def test_a_builtin_is_found_by_name() -> None:
    config = load("demo")
    assert (config.name, config.seed, config.strict) == ("demo", 7, False)
    assert config.sections["scans"] == RoomsConfig(count=2, noise=0.5)
    assert config.sections["labels"] == LabelsConfig(steps=3, cache=Path.cwd() / "cache")


@pytest.mark.parametrize("decoy", ["file", "folder"])
def test_the_current_folder_does_not_shadow_a_builtin(folder: Path, decoy: str) -> None:
    if decoy == "file":
        (folder / "demo").write_text("seed: 99\n")
    else:
        (folder / "demo").mkdir()
        (folder / "demo" / "demo.yaml").write_text("seed: 99\n")
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


def test_a_folder_is_no_configuration(folder: Path) -> None:
    (folder / "runs.yaml").mkdir()
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


# YAML


@pytest.mark.parametrize(
    ("text", "key", "line", "first"),
    [
        ("seed: 1\nseed: 2\n", "seed", 2, 1),
        (
            "scans: {source: rooms}\nlabels:\n  kernel:\n    length: 1.0\n    length: 2.0\n",
            "labels.kernel.length",
            5,
            4,
        ),
        ("labels: {steps: 1}\nlabels: {exact: true}\n", "labels", 2, 1),
    ],
)
def test_a_key_written_twice_is_refused(text: str, key: str, line: int, first: int) -> None:
    write(text)
    assert f"mine.yaml:{line}: {key} is written twice, first in line {first}" in refusal("mine.yaml")


@pytest.mark.parametrize(
    "text", ["seed: [1\n", "seed: !!python/object:os.system x\n", "labels: &a {kernel: *a}\n", "a: 1\n---\nb: 2\n"]
)
def test_what_is_no_plain_yaml_is_refused(text: str) -> None:
    assert "mine.yaml is not valid YAML" in refusal(write(text))


def test_what_is_no_text_is_refused() -> None:
    Path("mine.yaml").write_bytes(b"\xff\xfe\x00\x01\xd8")
    assert "mine.yaml is not valid YAML" in refusal("mine.yaml")


def test_a_list_is_no_configuration() -> None:
    assert "keys with values" in refusal(write("- seed\n"))


def test_scalars_read_as_people_mean_them() -> None:
    write("base: demo\nlabels: {low: 1e-3, high: 2}\nsplits: {train: [0435_01, 007, 2024-05-01, off]}\n")
    config = load("mine.yaml")
    assert config.sections["labels"].low == 0.001
    assert config.splits["train"] == ("0435_01", "007", "2024-05-01", "off")


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


# Wrong configurations


def test_all_problems_are_listed_at_once() -> None:
    write(
        "seed: -1\nscans: {source: rooms, count: many}\nlables: {}\n"
        "labels:\n  kernel: {lenght: 1}\n  steps: 1.5\nsplits: {tran: [a]}\n"
    )
    message = refusal("mine.yaml")
    lines = message.splitlines()
    assert lines[0] == "configuration mine.yaml has 6 problems:"
    assert len(lines) == 7
    for expected in (
        "mine.yaml:1: seed: -1 given; expected whole number >= 0",
        'mine.yaml:2: scans.count: "many" given; expected whole number >= 1, <= 9',
        "mine.yaml:3: unknown key lables; did you mean labels?",
        "mine.yaml:5: unknown key labels.kernel.lenght; did you mean labels.kernel.length? "
        "Valid keys of labels.kernel: length, table",
        "mine.yaml:6: labels.steps: 1.5 given; expected whole number",
        "mine.yaml:7: unknown key splits.tran; did you mean splits.train? Valid keys of splits: train, val, test",
    ):
        assert expected in message


def test_problems_of_a_base_name_the_base() -> None:
    write("seed: 1\nlabels: {steps: x}\n", "lower.yaml")
    write("base: lower.yaml\nscans: {source: rooms, cuont: 1}\n")
    message = refusal("mine.yaml")
    assert "lower.yaml:2: labels.steps" in message
    assert "mine.yaml:2: unknown key scans.cuont; did you mean scans.count?" in message


def test_a_key_in_the_wrong_place_is_told_the_right_one() -> None:
    write("base: demo\nengine: laplace\n")
    message = refusal("mine.yaml")
    assert "did you mean labels.engine?" in message
    assert "Valid keys at the top: base, seed, strict, splits, scans, labels" in message


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert "did you mean" not in refusal(write("base: demo\nqqqqqq: 1\n"))


def test_an_unknown_key_without_a_value_is_refused() -> None:
    assert "unknown key featurs" in refusal(write("base: demo\nfeaturs:\n"))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed=true", "seed: true given; expected whole number >= 0"),
        ("seed=", "seed: null given"),
        ("strict=1", "strict: 1 given; expected true or false"),
        ("labels.exact=yes", 'labels.exact: "yes" given; expected true or false'),
        ("labels.steps='5'", 'labels.steps: "5" given; expected whole number'),
        ("labels.engine=laplce", "expected laplace | regression; did you mean laplace?"),
        ("labels.width=big", 'labels.width: "big" given; expected whole number or auto'),
        ("labels.kernel=5", "labels.kernel: 5 given; expected keys with values"),
        ("labels.kernel.length=0", "labels.kernel.length: 0 given; expected number > 0"),
        ("labels.extra=a", 'labels.extra: "a" given; expected list of path'),
        ("labels.extra=[a, 3]", "labels.extra.1: 3 given; expected path"),
        ("labels.lookup.a=3", "labels.lookup.a: 3 given; expected path"),
        ("labels.low=2.0", "labels: low lies above high"),
        ("labels=3", "labels: 3 given; expected keys with values"),
        ("scans=3", "scans: 3 given; expected keys with values"),
        ("scans.source=rooom", 'scans.source: "rooom" given; expected folder | scannet | rooms; did you mean rooms?'),
        ("scans.source=3", "scans.source: 3 given; expected folder | scannet | rooms"),
    ],
)
def test_a_wrong_value_is_shown_with_what_is_expected(override: str, expected: str) -> None:
    message = refusal("demo", override)
    assert expected in message
    assert f"--set {override}: " in message
    assert message.startswith("configuration demo has 1 problem:")


def test_required_keys_are_asked_for() -> None:
    assert "scans.source is required: folder | scannet | rooms" in refusal(write("seed: 1\n"))
    message = refusal(write("scans:\n  source: folder\n"))
    assert "mine.yaml:1: scans.path is required (folder of the scans): path" in message


# Sections with variants


def test_another_variant_drops_what_it_inherits_but_cannot_use() -> None:
    write("base: demo\nscans: {source: folder, path: scans}\n")
    assert load("mine.yaml").sections["scans"] == FolderConfig(path=Path.cwd() / "scans")
    assert load("demo", "scans.source=scannet", "scans.path=x").sections["scans"].source == "scannet"


def test_another_variant_keeps_what_both_have() -> None:
    write("scans: {source: folder, path: scans, suffix: ply}\n", "lower.yaml")
    write("base: lower.yaml\nscans: {source: scannet}\n")
    assert load("mine.yaml").sections["scans"] == ScannetConfig(path=Path.cwd() / "scans")


def test_a_key_of_another_variant_that_the_user_wrote_is_refused() -> None:
    write("base: demo\nscans: {source: folder, path: scans, count: 3}\n")
    message = refusal("mine.yaml")
    assert "unknown key scans.count for source folder (it belongs to source rooms)" in message
    assert "Valid keys of scans: source, path, suffix" in message
    assert "scans.path for source rooms" in refusal("demo", "scans.path=x")


def test_the_same_variant_again_drops_nothing() -> None:
    write("scans: {source: rooms, path: scans}\n", "lower.yaml")
    write("base: lower.yaml\nscans: {source: rooms}\n")
    assert "lower.yaml:1: unknown key scans.path" in refusal("mine.yaml")


def test_a_name_that_is_both_variant_and_key_is_not_confused() -> None:
    class Odd(StageConfig):
        kind: Literal["size"] = "size"
        size: int = 1
        other: int = 1

    class Even(StageConfig):
        kind: Literal["even"] = "even"

    class Parity(_Silent):
        name = "parity"
        Config: ClassVar[Any] = Annotated[Odd | Even, Field(discriminator="kind")]

    write("parity: {kind: size, size: 3, other: x}\n")
    with pytest.raises(ConfigurationError, match=r'parity\.other: "x" given; expected whole number'):
        load("mine.yaml", stages=[Parity])


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


def test_the_resolved_configuration_loads_back_to_the_same(folder: Path) -> None:
    write("one\n", "val.txt")
    write(
        "base: demo\nstrict: true\nscans: {source: scannet, path: ./s, classes: [a, 'yes']}\n"
        "labels: {high: .inf, low: 1e-7, kernel: {table: t}, width: 3}\nsplits: {val: val.txt, test: ['1']}\n"
    )
    config = load("mine.yaml", "labels.extra=[x]")
    away = folder / "away"
    away.mkdir()
    (away / "mine.yaml").write_text(yaml.safe_dump(config.resolved()))
    os.chdir(away)
    again = load("mine.yaml")
    assert again == config
    assert again.resolved() == config.resolved()


def test_the_resolved_configuration_is_complete() -> None:
    resolved = load("demo").resolved()
    assert set(resolved) == {"seed", "strict", "splits", "scans", "labels"}
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
