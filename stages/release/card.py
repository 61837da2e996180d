"""The dataset card, ``README.md``: front matter as Hugging Face reads it, then what people want to know."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from stages.release.facts import UNSURE
from stages.release.folder import labels_name
from stages.release.licenses import License
from stages.release.quality import Quality
from stages.release.tables import Totals

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "1M<n<10M"
_SOURCES: dict[str, str] = {
    "rooms": "The scans are rooms that boxgp makes itself: `boxgp run recipe.yaml` makes them and these labels again.",
    "scannet": "The scans are those of ScanNet: its owners hand them out under their terms of use "
    "(<http://www.scan-net.org>).",
    "s3dis": "The scans are those of S3DIS (Stanford Large-Scale 3D Indoor Spaces): its owners hand them out under "
    "their terms.",
    "folder": "The scans are those of whoever made this release, or of third parties.",
}
_ORDER = {
    "rooms": "Points are in the order in which boxgp makes them.",
    "s3dis": "Points are in the order of the files in `Annotations/`, sorted by name as boxgp reads them.",
}
_WORDS = {
    "background": "in no box",
    "single_box": "in one box alone",
    "containment": "in a box inside another one",
    "gp": "a posterior of the Gaussian Process",
    "fallback": "the smallest box, where no posterior could be had",
    "rule": "a rule",
    "truth": "the ground truth",
    "human": "a person's correction",
    "none": "nobody: no label",
}

_MADE = (
    "Points become regions, and of each region it is decided to which box, or to the background, it belongs.",
    "Nothing but boxes is given: drawn, or the extents of annotated instances (`scenes.boxes_from`).",
)
_METHODS = {
    "points": "the points alone",
    "mesh": "the edges of a mesh",
    "given": "a partition that came with the scans",
}
_IMPORTED = ("The labels are others', in GaPro's format, and were imported: boxgp did not make them.",)


@dataclass(frozen=True)
class Card:
    """What a card tells."""

    recipe: Mapping[str, Any]
    license: License
    totals: Totals
    quality: Quality
    first_scene: str
    splits: Mapping[str, int]
    """split -> its scenes; empty where the run has none"""

    @property
    def geometry(self) -> bool:
        """Whether the scans are part of the release."""
        return bool(self.recipe["geometry"])

    @property
    def title(self) -> str:
        """Name of the data set."""
        return f"{self.recipe['name']}: instance labels from boxes"

    @property
    def description(self) -> str:
        """What it is, in two sentences."""
        return (
            f"Instance masks of {_counted(self.totals.objects, 'object')} in "
            f"{_counted(self.totals.scenes, '3D scan')}, made from axis-aligned boxes, not by hand. Each "
            "object has a mask and, of every region of the scan, the mean and variance of the label."
        )

    def text(self) -> str:
        """The whole file."""
        front = yaml.safe_dump(self._front_matter(), sort_keys=False, allow_unicode=True)
        sections = (
            f"---\n{front}---\n\n# {self.title}\n\n{self.description}",
            self._contents(),
            self._reading(),
            self._scans(),
            self._making(),
            self._quality(),
            self._uncertainty(),
            self._license(),
        )
        return "\n\n".join(sections) + "\n"

    def _front_matter(self) -> dict[str, Any]:
        size = next((name for limit, name in _SIZES if self.totals.scenes < limit), _LARGEST)
        tables = [{"config_name": "scenes", "data_files": "scenes.csv", "default": True}]
        if self.quality.known:
            tables.append({"config_name": "quality", "data_files": "quality.csv"})
        return {
            **self.license.card,
            "pretty_name": self.title,
            "task_categories": ["other"],
            "annotations_creators": ["machine-generated"],
            "size_categories": [size],
            "tags": ["3d", "point-cloud", "instance-segmentation", "weak-supervision", "uncertainty", "boxgp"],
            "configs": tables,
        }

    def _contents(self) -> str:
        total = self.totals
        rows = [
            ("`labels/<scene>.zarr.zip`", "the labels of one scene: a zarr v3 group in a zip file"),
            ("`scenes.csv`", "one row a scene: points, regions, objects, how sure, checksum"),
            ("`quality.json`", "how good the labels are, where the truth was known"),
            ("`recipe.json`, `recipe.yaml`", "options, seed, software, checksums of the raw files; the options alone"),
            ("`croissant.json`", "this description for programs"),
            ("`SHA256SUMS`", "checksums of all files: `sha256sum -c SHA256SUMS` or `boxgp release --verify .`"),
        ]
        if self.geometry:
            rows.insert(
                1, ("`scans/<scene>.npz`", "the scan with its boxes, in the format that `boxgp run folder` reads")
            )
        if self.quality.known:
            rows.insert(-3, ("`quality.csv`", "the same as a table"))
        counts = [_counted(number, noun) for number, noun in _amounts(total)]
        named = ", ".join(f"{name or 'no class'} {number:,}" for name, number in total.classes.most_common())
        splits = ", ".join(f"{name} {number:,}" for name, number in self.splits.items())
        lines = [
            f"{', '.join(counts)}; {total.bytes / 1e6:,.1f} MB.",
            f"Objects: {named}." if named else "",
            f"Splits (column of `scenes.csv`): {splits}." if splits else "",
        ]
        return "\n".join(
            ["## What is in it", "", *(line for line in lines if line), "", *_grid(("file", "what"), rows)]
        )

    def _reading(self) -> str:
        path = labels_name(self.first_scene)
        return f"""## Reading it

```python
from boxgp import PseudoLabels

labels = PseudoLabels.open("{path}")
mask, mean = labels.at_points("mask"), labels.at_points("mean")  # [objects, points]
names = [(*labels.class_names, None)[index] for index in labels.boxes.class_index]  # None where none was given
```

`at_points` gives one row an object and one column a point, in the order of the points of the scan as boxgp reads it.
Without boxgp, zarr alone reads it; `superpoint` says in which region each point lies, and maps are kept a region:

```python
import zarr

group = zarr.open_group(zarr.storage.ZipStore("{path}", mode="r"), mode="r")
superpoint = group["superpoint"][:]
mask = group["mask"][:][:, superpoint] & (superpoint >= 0)  # points that are not finite are in no region, -1
```"""

    def _scans(self) -> str:
        kind = self._kind
        source = _SOURCES.get(kind, _SOURCES["folder"])
        checked = "`recipe.json` has the sha256 of every raw file, under `raw_files`." if self._has_raw_files else ""
        if self.geometry:
            here = (
                "`scans/` holds points, and what else there is of colours, normals, triangles, instances and boxes: "
                "whoever made this release says that the license of the scans allows that.\n"
                f"Coordinates are metres, z up, frame {', '.join(f'`{name}`' for name in self.totals.frames)}.\n"
                f"`boxgp run folder --set scenes.path=scans/{self._classes_option()}` labels them with default options."
            )
            return "\n".join(["## The scans", "", here, *([checked] if checked else [])])
        missing = (
            "**The scans are not part of this release**: no coordinates, colours, normals, triangles, box corners or "
            "ids of the ground truth's instances."
        )
        join = _ORDER.get(kind, "Point i of the labels is point i of the scan in its own file.")
        return "\n".join(["## The scans", "", missing, f"{source} {join}", *([checked] if checked else [])])

    def _making(self) -> str:
        recipe = self.recipe
        software = recipe["software"][0]
        made_by = f"boxgp {software['versions'].get('boxgp', recipe['boxgp'])}"
        commit = f", commit `{software['commit']}`" if software["commit"] else ""
        lines = [
            *(_IMPORTED if self._imported else _MADE),
            f"Regions were made from {self._methods()}.",
            f"Made by {made_by}{commit}, round {recipe['round']}, seed {recipe['seed']}.",
            f"`boxgp run recipe.yaml{self._path_option()}` makes it again.",
        ]
        if recipe["options_left_out"]:
            left = ", ".join(f"`{name}`" for name in recipe["options_left_out"])
            lines.append(f"Options left out because they name paths, users or machines: {left}.")
        if recipe["corrected_scenes"]:
            lines.append(f"People corrected labels in {_counted(len(recipe['corrected_scenes']), 'scene')}.")
        if recipe["scenes_left_out"]:
            number = _counted(len(recipe["scenes_left_out"]), "scene")
            lines.append(f"{number} of the run left out because their labels were unfinished (see `recipe.json`).")
        return "\n".join(["## How it was made", "", *lines])

    def _quality(self) -> str:
        quality = self.quality
        if not quality.known:
            return f"## Quality\n\nNot known: {quality.as_json()['why']}."
        header = ("class", "objects", "AP", "AP50", "AP25", "AP90", "mean IoU", "smallest box AP", "ceiling AP")
        rows = [(row[0], f"{row[1]:,}", *map(_figure, row[2:])) for row in quality.rows()]
        explained = (
            f"Against the ground truth of {_counted(quality.scenes_with_truth, 'scene')} of {quality.scenes:,}. "
            "Label AP is the share of objects whose own mask passes an IoU threshold, averaged over IoU > 0.50, 0.55, "
            "..., 0.90; beside it that of the smallest box around each point, and the ceiling that the regions allow."
        )
        return "\n".join(["## Quality", "", explained, "", *_grid(header, rows)])

    def _uncertainty(self) -> str:
        total = self.totals
        points = max(total.points, 1)
        rows = [(_WORDS[name], f"{number / points:.1%}") for name, number in total.sources.most_common() if number]
        explained = (
            "`uncertainty` of a region is the entropy over its possible owners, background included, scaled to 0..1; "
            "`variance` is that of the label's probability. A trainer can weigh by them, or leave regions out.\n"
            f"{total.uncertain / points:.1%} of the points lie in regions with uncertainty {UNSURE} or more; the mean "
            f"over all points is {total.uncertainty / points:.3f}."
        )
        return "\n".join(["## Uncertainty", "", explained, "", *_grid(("who decided", "of the points"), rows)])

    def _license(self) -> str:
        scans = "" if self._kind == "rooms" else " The scans: under the terms of their owners."
        return f"## License\n\nThe labels: {self.license.words}.{scans}"

    @property
    def _kind(self) -> str:
        """Where the scans come from: rooms, folder, scannet, s3dis."""
        return str(self.recipe["configuration"].get("scenes", {}).get("source"))

    @property
    def _imported(self) -> bool:
        """Whether the labels are others', taken from files."""
        return "pseudo_labels.path" in self.recipe["options_left_out"]

    @property
    def _has_raw_files(self) -> bool:
        return any(self.recipe["raw_files"].values())

    def _methods(self) -> str:
        named = self.totals.methods.most_common()
        return ", ".join(f"{_METHODS.get(name, name)} ({_counted(number, 'scene')})" for name, number in named)

    def _path_option(self) -> str:
        return " --set scenes.path=YOUR_SCANS" if "scenes.path" in self.recipe["options_left_out"] else ""

    def _classes_option(self) -> str:
        classes = self.recipe["configuration"].get("scenes", {}).get("classes", "scannet18")
        if classes == "scannet18":
            return ""
        named = classes if isinstance(classes, str) else f"[{', '.join(classes)}]"
        return f" --set 'scenes.classes={named}'"


def _amounts(total: Totals) -> tuple[tuple[int, str], ...]:
    return (total.scenes, "scene"), (total.points, "point"), (total.regions, "region"), (total.objects, "object")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _figure(value: object) -> str:
    return "-" if isinstance(value, float) and math.isnan(value) else f"{value:.3f}"


def _grid(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A table of Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(str(cell) for cell in line)} |" for line in lines]
