"""Labels of every point in one zarr file a scene: what at_points gives, for whoever has zarr alone."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import numpy as np

from pipeline.stage import Array
from pipeline.store import write_entry
from stages.export.base import Format, Written
from stages.export.scene import LabelledScene
from stages.pseudo_labels.labels import Map, PseudoLabels
from stages.pseudo_labels.store import labels_result
from stages.structures import LabelSource

if TYPE_CHECKING:
    import zarr
    from zarr.core.buffer import Buffer

FORMAT = "boxgp.dense_labels"
MAPS: tuple[Map, ...] = ("mask", "mean", "variance", "probability", "latent_mean", "latent_variance")
_CHUNK = 2**20
"""values"""
_GROUP_KEY = "zarr.json"


class DenseZarr(Format):
    """``<scene>.zarr.zip``: a zarr v3 group in one zip file, N always the input's points.

    [K, N]: mask bool, mean, variance, probability, latent_mean and latent_variance float32 (NaN where no Gaussian
    Process ran). [N]: superpoint int32, source and contested uint8, ignore bool, uncertainty float32. box float32
    [K, 6], box_class and box_instance int32 [K]. Attributes as in the store of pseudo-labels. A point without a region
    has superpoint -1, source none, and is to be ignored.
    """

    name = "zarr"
    version = 1
    reader = "anything that reads zarr v3"

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The one file of a scene."""
        labels = labelled.labels
        facts = {
            "box": labels.frame,
            "offset": [float(value) for value in labels.offset],
            "classes": {str(number): name for number, name in enumerate(labels.class_names)},
        }
        return Written({f"{labelled.name}.zarr.zip": dense_zip(labelled)}, facts)


def dense_zip(labelled: LabelledScene) -> bytes:
    """The zip file of one scene; beside it, memory holds a few chunks (each at most 2^20 values).

    No time, host or path is in there: equal labels give equal bytes.
    """
    import zarr
    from zarr.storage import MemoryStore

    labels = labelled.labels
    stored = labels_result(labels)
    attributes = {**stored.attributes, "format": FORMAT, "version": 1}
    written: dict[str, Buffer] = {}
    stream = BytesIO()
    with ZipFile(stream, "w") as entries:
        group = zarr.open_group(MemoryStore(written), mode="w", zarr_format=3, attributes=attributes)
        write_entry(entries, _GROUP_KEY, written[_GROUP_KEY].to_bytes())
        for moment in MAPS:
            for _ in _fill(group, moment, labels):
                _move(written, entries)
        boxes = {name: stored.arrays[name] for name in ("box", "box_class", "box_instance")}
        for name, array in {**_point_arrays(labelled), **boxes}.items():
            values = array.values
            chunks = tuple(max(1, min(length, _CHUNK)) for length in values.shape)
            _create(group, name, values.shape, values.dtype, chunks, array.dimensions)[...] = values
            _move(written, entries)
    return stream.getvalue()


def _point_arrays(labelled: LabelledScene) -> dict[str, Array]:
    labels = labelled.labels
    values = {
        "superpoint": labels.superpoint,
        "source": labelled.at_points(labels.source, float(LabelSource.NONE)),
        "contested": labelled.at_points(labels.contested, 0.0),
        "ignore": labelled.at_points(labels.ignore, 1.0),
        "uncertainty": labelled.at_points(labels.uncertainty, 0.0),
    }
    return {name: Array(array, ("point",)) for name, array in values.items()}


def _fill(group: zarr.Group, name: Map, labels: PseudoLabels) -> Iterator[None]:
    """One map, one row of chunks after the other; yields after each."""
    values: np.ndarray = getattr(labels, name)
    points = len(labels.superpoint)
    width = max(1, min(points, _CHUNK))
    rows = max(1, min(len(values), _CHUNK // width))
    array = _create(group, name, (len(values), points), values.dtype, (rows, width), ("object", "point"))
    yield
    for block, dense in labels.blocks_at_points(name, rows * points * values.itemsize):
        array[block] = dense
        yield


def _create(
    group: zarr.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    chunks: tuple[int, ...],
    dimensions: tuple[str, ...],
) -> zarr.Array[Any]:
    from zarr.codecs import ZstdCodec

    return group.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunks,
        compressors=ZstdCodec(level=3, checksum=True),
        dimension_names=dimensions,
        config={"write_empty_chunks": True},  # a chunk that is missing then is damage
    )


def _move(written: dict[str, Buffer], entries: ZipFile) -> None:
    """What zarr wrote goes into the zip file, all but the group's own entry, which zarr would write again."""
    for key in sorted(written.keys() - {_GROUP_KEY}):
        write_entry(entries, key, written.pop(key).to_bytes())
