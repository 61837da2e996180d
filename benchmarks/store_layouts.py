"""Three ways to keep the results of many scenes on disk, for ``benchmarks.stores``."""

from __future__ import annotations

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from pipeline.atomic import remove
from pipeline.stage import Result
from pipeline.store import commit, read_arrays

STAGES = ("superpoints", "pseudo_labels")
CHUNK, SHARD = 2**16, 2**22
"""values in a chunk and in a shard of the ragged arrays"""
Scene = Mapping[str, Result]
"""Results of one scene by stage."""


class Layout(ABC):
    """A way to keep the results of many scenes below a folder."""

    title: str
    scene_by_scene: str
    """whether each scene can be committed whole and by any process"""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, scenes: Mapping[int, Scene]) -> None:
        """Writes all of them, scene by scene."""
        for index, stages in scenes.items():
            self.replace(index, stages)

    @abstractmethod
    def replace(self, index: int, new: Scene) -> None:
        """Puts other results in the place of those of one scene."""

    @abstractmethod
    def read(self, scenes: Sequence[int]) -> Iterator[dict[str, np.ndarray]]:
        """Every array, result by result."""

    def result(self, index: int, stage: str) -> Path:
        """The folder of one result."""
        return self.folder / stage / f"scene_{index:06d}"


class Folders(Layout):
    """What boxgp did before: an array is a folder, a chunk a file."""

    title = "a folder of zarr a result"
    scene_by_scene = "yes"

    def replace(self, index: int, new: Scene) -> None:
        """Into a temporary folder, then renamed."""
        for stage, result in new.items():
            folder = self.result(index, stage)
            temporary = _hidden(folder)
            temporary.mkdir(parents=True)
            _write(temporary, result)
            if folder.exists():
                aside = _hidden(folder)
                folder.rename(aside)
                temporary.rename(folder)
                remove(aside)
            else:
                temporary.rename(folder)

    def read(self, scenes: Sequence[int]) -> Iterator[dict[str, np.ndarray]]:
        """Result by result."""
        for index in scenes:
            for stage in STAGES:
                folder = self.result(index, stage)
                contents = json.loads((folder / "manifest.json").read_text())["contents"]
                if any((folder / name).stat().st_size != size for name, size in contents.items()):
                    raise ValueError(f"{folder} is torn")
                group = zarr.open_group(folder / "data.zarr", mode="r", zarr_format=3)
                arrays = dict(group.arrays())
                if any(array.nchunks_initialized != array.nchunks for array in arrays.values()):
                    raise ValueError(f"{folder} has too few chunks")
                yield {name: np.asarray(array[...]) for name, array in arrays.items()}


def _hidden(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}@{uuid.uuid4().hex}")


def _write(folder: Path, result: Result) -> None:
    group = zarr.open_group(folder / "data.zarr", mode="w", zarr_format=3)
    group.attrs.update(dict(result.attributes))
    for name, array in result.arrays.items():
        create(group, name, array.values, tuple(max(1, length) for length in array.values.shape))
    paths = [path for path in folder.rglob("*") if path.is_file()]
    contents = {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}
    (folder / "manifest.json").write_text(json.dumps({"contents": contents}))


class Zips(Layout):
    """The store of boxgp."""

    title = "a zip a result (boxgp)"
    scene_by_scene = "yes"

    def replace(self, index: int, new: Scene) -> None:
        """Into a temporary folder, then renamed."""
        for stage, result in new.items():
            commit(self.result(index, stage), result, {"fingerprint": uuid.uuid4().hex})

    def read(self, scenes: Sequence[int]) -> Iterator[dict[str, np.ndarray]]:
        """Result by result."""
        for index in scenes:
            for stage in STAGES:
                yield read_arrays(self.result(index, stage))[0]


class Ragged(Layout):
    """An array a data set; ``bounds`` tell where each scene lies in it. Its shapes are those of the first scene."""

    title = "one ragged array a data set, in shards"
    scene_by_scene = "no"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._place: dict[int, int] = {}

    def write(self, scenes: Mapping[int, Scene]) -> None:
        """All scenes of an array at once."""
        self._place = {index: place for place, index in enumerate(scenes)}
        for stage, result in next(iter(scenes.values())).items():
            group = zarr.open_group(self.folder / stage, mode="w", zarr_format=3)
            for name, first in result.arrays.items():
                parts = [stages[stage].arrays[name].values.ravel() for stages in scenes.values()]
                bounds = [0, *accumulate(map(len, parts))]
                shard = (min(SHARD, CHUNK * -(-bounds[-1] // CHUNK)),)
                array = create(group, name, np.concatenate(parts), (CHUNK,), shard)
                array.attrs.update({"bounds": bounds, "shape": first.values.shape})

    def replace(self, index: int, new: Scene) -> None:
        """Writes all shards anew that the scene lies in."""
        for stage, result in new.items():
            group = zarr.open_group(self.folder / stage, mode="r+", zarr_format=3)
            for name, array in group.arrays():
                array[self._slice(dict(array.attrs), index)] = result.arrays[name].values.ravel()

    def read(self, scenes: Sequence[int]) -> Iterator[dict[str, np.ndarray]]:
        """A piece of each array a scene."""
        for stage in STAGES:
            group = zarr.open_group(self.folder / stage, mode="r", zarr_format=3)
            arrays: dict[str, tuple[zarr.Array[Any], dict[str, Any]]]
            arrays = {name: (array, dict(array.attrs)) for name, array in group.arrays()}
            for index in scenes:
                yield {
                    name: np.asarray(array[self._slice(about_it, index)]).reshape(tuple(about_it["shape"]))
                    for name, (array, about_it) in arrays.items()
                }

    def _slice(self, attributes: Mapping[str, Any], index: int) -> slice:
        return slice(*attributes["bounds"][self._place[index] :][:2])


def create(
    group: zarr.Group, name: str, values: np.ndarray, chunks: tuple[int, ...], shards: tuple[int, ...] | None = None
) -> zarr.Array[Any]:
    """An array with the compression that boxgp uses."""
    return group.create_array(
        name,
        data=np.ascontiguousarray(values).reshape(values.shape),
        chunks=chunks,
        shards=shards,
        compressors=ZstdCodec(level=3, checksum=True),
        config={"write_empty_chunks": True},
    )


LAYOUTS: tuple[type[Layout], ...] = (Folders, Zips, Ragged)
