"""The metadata, as the reference reader of Croissant takes it, without a network."""

from __future__ import annotations

import csv
import json
import socket
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli import main
from stages.release.croissant import croissant
from stages.release.folder import read_sums
from stages.release.licenses import license_of
from stages.release.tables import COLUMNS

FOR_THE_PUBLISHER = {"citeAs", "datePublished"}
"""recommended properties that nobody knows before publication"""


@pytest.fixture
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("tests have no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def read(path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rdflib and pandas, about themselves
        return import_module("mlcroissant").Dataset(jsonld=str(path))  # without types of its own


@pytest.mark.usefixtures("_no_network")
def test_the_reference_reader_finds_nothing_wrong_and_reads_the_records(released: Path) -> None:
    dataset = read(released / "croissant.json")
    issues = dataset.metadata.issues
    assert not issues.errors
    named = {one.partition('"')[2].partition('"')[0].rpartition("/")[2] for one in issues.warnings}
    assert named == FOR_THE_PUBLISHER, issues.warnings
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = list(dataset.records("scenes"))
    with (released / "scenes.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(records) == len(rows) == 2
    for record, row in zip(records, rows, strict=True):
        for column, (kind, _) in COLUMNS.items():
            value = record[f"scenes/{column}"]
            if kind == "sc:Text":
                assert (value.decode() if isinstance(value, bytes) else "") == row[column]
            else:
                assert float(value) == float(row[column])


@pytest.mark.usefixtures("_no_network")
def test_a_release_with_scans_and_without_a_license_is_valid_too(run: Path, tmp_path: Path) -> None:
    assert main(["release", str(run), "--to", str(tmp_path / "to"), "--license-allows"]) == 0
    issues = read(tmp_path / "to" / "croissant.json").metadata.issues
    assert not issues.errors
    assert len(issues.warnings) == len(FOR_THE_PUBLISHER | {"license"})


def test_every_file_it_names_is_there_with_that_checksum(released: Path) -> None:
    described = json.loads((released / "croissant.json").read_text())
    sums = read_sums(released)
    files = [one for one in described["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["contentUrl"] for one in files} == {
        "scenes.csv", "quality.csv", "quality.json", "recipe.json", "recipe.yaml",
    }  # fmt: skip
    for one in files:
        assert one["sha256"] == sums[one["contentUrl"]]
        assert one["contentSize"] == f"{(released / one['contentUrl']).stat().st_size} B"
    (labels,) = [one for one in described["distribution"] if one["@type"] == "cr:FileSet"]
    assert {str(path.relative_to(released)) for path in released.glob(labels["includes"])} == {
        name for name in sums if name.startswith("labels/")
    }


def test_a_license_without_a_name_at_spdx_is_told_in_its_own_words() -> None:
    made = croissant("a", "b", license_of("Lab terms"), {}, geometry=False)
    assert made["license"] == "Lab terms"
    assert "license" not in croissant("a", "b", license_of(None), {}, geometry=False)
