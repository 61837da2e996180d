import json
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from stages.report.page import page
from tests.stages.report.made import facts_and_view, run_facts
from tests.stages.report.test_encoding import EVIL


class Elements(HTMLParser):
    """The elements of a page, its text, and the content of its scripts by their id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: dict[str, str] = {}
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._script = (dict(attrs).get("id") or "") if tag == "script" else None

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 (the name is HTMLParser's)
        self._script = None

    def handle_data(self, data: str) -> None:
        if self._script is None:
            self.text += data
        else:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data

    def links(self) -> list[str]:
        return [attributes["href"] or "" for tag, attributes in self.tags if tag == "a" and "href" in attributes]


def elements(text: str) -> Elements:
    return Elements(text)


def test_a_page_stands_alone() -> None:
    found = elements(page(run_facts(facts_and_view()), "/* plotly */"))
    assert not any({"src", "href"} & set(attributes) for tag, attributes in found.tags if tag != "a")
    assert all(link.startswith("#") for link in found.links())
    policy = next(attributes for tag, attributes in found.tags if attributes.get("http-equiv"))
    assert policy["content"] is not None
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize("name", EVIL)
def test_no_name_from_data_becomes_markup(name: str) -> None:
    harmless = elements(page(run_facts(facts_and_view(iou=np.ones(3))), ""))
    scene = facts_and_view(iou=np.ones(3), class_names=(name, name))
    evil = elements(page(run_facts(scene, name=name, source=name, problems=[("row", name)], predictions=name), ""))
    tags = [tag for tag, _ in evil.tags]
    assert tags.count("script") == [tag for tag, _ in harmless.tags].count("script")
    assert "img" not in tags
    assert name in evil.text
    view = json.loads(evil.scripts["scene-0"])
    assert view["objects"][0]["name"] == f"{name} #0"


def test_braces_in_names_are_no_places_of_the_skeleton() -> None:
    found = elements(page(run_facts(facts_and_view(), name="{{js}}"), ""))
    assert "{{js}}" in found.text


def test_links_lead_to_scenes_that_are_on_the_page_and_to_their_objects() -> None:
    shown, left_out = facts_and_view("shown", np.ones(3)), facts_and_view("left_out", np.ones(3))
    facts = run_facts(shown, left_out, views=[shown[1]])
    found = elements(page(facts, ""))
    assert {"#view/shown", "#view/shown/0", "#view/shown/2"} <= set(found.links())
    assert not [link for link in found.links() if "left_out" in link]
    assert "room for 1 of 2 scenes" in found.text


def test_every_scene_is_data_of_its_own() -> None:
    found = elements(page(run_facts(facts_and_view("a"), facts_and_view("b")), ""))
    assert json.loads(found.scripts["report"])["scenes"] == ["a", "b"]
    assert [json.loads(found.scripts[f"scene-{k}"])["scene"] for k in range(2)] == ["a", "b"]


def test_the_page_says_how_many_points_it_shows() -> None:
    text = elements(page(run_facts(facts_and_view()), "")).text
    assert "This page shows 800 of 800 points." in text


def test_the_page_says_what_failed_and_what_is_missing() -> None:
    facts = run_facts(facts_and_view(), problems=[("bad", "scenes: bad.npz: cut off")], unfinished=["later"])
    text = elements(page(facts, "")).text
    assert "1 scene with problems" in text
    assert "bad.npz: cut off" in text
    assert "Unfinished: 1 scene without labels" in text


def test_the_footer_tells_scans_from_built_in_rooms() -> None:
    assert "under their own terms" in page(run_facts(facts_and_view()), "")
    built_in = page(run_facts(facts_and_view(), source="rooms"), "")
    assert "under their own terms" not in built_in
    assert "nobody's scans" in built_in


def test_a_page_without_a_single_view_has_no_viewer() -> None:
    found = elements(page(run_facts(), ""))
    assert "plot" not in [attributes.get("id") for _, attributes in found.tags]
    assert json.loads(found.scripts["report"])["scenes"] == []


def test_every_chart_has_its_place_and_every_place_its_chart() -> None:
    found = elements(page(run_facts(facts_and_view(iou=np.array([0.2, 0.5, 0.9]))), ""))
    places = [attributes["id"] for _, attributes in found.tags if attributes.get("class") == "chart"]
    assert places == [chart["id"] for chart in json.loads(found.scripts["report"])["charts"]]
    assert len(set(places)) == len(places) >= 4


def test_the_files_of_the_page_are_package_data() -> None:
    root = Path(__file__).parents[3]
    listed = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["stages.report"]
    folder = root / "stages" / "report"
    assert sorted(listed) == sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py")


def test_the_script_asks_for_elements_that_are_there() -> None:
    text = page(run_facts(facts_and_view(iou=np.ones(3))), "")
    there = {attributes.get("id") for _, attributes in elements(text).tags}
    asked = set(re.findall(r'element\("([a-z]+)"\)', text))
    assert asked
    assert asked <= there
