"""What a wrong configuration is told, and which keys a section with variants takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field
from toy_configs import FolderConfig, ScannetConfig, Silent, load, refusal, write

from pipeline.errors import ConfigurationError
from pipeline.stage import StageConfig

pytestmark = pytest.mark.usefixtures("config_folder")


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
    assert "Valid keys at the top: base, seed, rounds, strict, splits, executor, scans, labels" in message


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

    class Parity(Silent):
        name = "parity"
        Config: ClassVar[Any] = Annotated[Odd | Even, Field(discriminator="kind")]

    write("parity: {kind: size, size: 3, other: x}\n")
    with pytest.raises(ConfigurationError, match=r'parity\.other: "x" given; expected whole number'):
        load("mine.yaml", stages=[Parity])
