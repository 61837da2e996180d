"""What a format is: a stage that writes files of a foreign layout, scene by scene, and an index over all of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipeline.errors import SceneError
from pipeline.stage import Result, SceneJob, SceneStage, StageConfig

if TYPE_CHECKING:
    import numpy as np

    from pipeline.results import RunResults
    from stages.export.scene import LabelledScene


_NUMPY_2, _NUMPY_1 = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"


class ExportConfig(StageConfig):
    """Where the files of a format go."""

    to: Path = Field(description="the folder of this format")


@dataclass(frozen=True)
class Written:
    """What a format makes of one scene."""

    files: Mapping[str, bytes]
    """path below the folder of the format, with `/` between -> content"""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """plain values for the index: the named frame of arrays with coordinates, and ``classes``, id (text) -> name"""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class SceneFacts:
    """One exported scene, as an index sees it."""

    scene: str
    split: str
    facts: Mapping[str, Any]


class ExportStage(SceneStage):
    """Base of everything that is exported. Subclasses set ``name``, ``version``, ``reader`` and say what is written.

    ``version`` is raised whenever the same results give other bytes. Files are written one by one, each whole or not at
    all, and the result of the stage, a receipt with their sizes and checksums, after all of them: a scene without a
    receipt is written again.
    """

    Config: ClassVar[type[StageConfig]] = ExportConfig
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test", "")
    unfingerprinted: ClassVar[tuple[str, ...]] = ("to",)
    reader: ClassVar[str]
    """whose files these are, for people"""
    needs_split: ClassVar[bool] = False
    """whether the layout has a place for each split, so that every scene must have one"""
    config: ExportConfig

    @abstractmethod
    def written(self, job: SceneJob) -> Written:
        """The files of one scene; raises SceneError for what the format needs and the run does not have."""

    @classmethod
    def reads(cls) -> tuple[str, ...]:
        """The stages whose results it reads."""
        return cls.inputs

    @classmethod
    def index_files(cls, scenes: Sequence[SceneFacts]) -> Iterator[tuple[str, bytes]]:  # noqa: ARG003
        """Files over all scenes of the folder, in the order of their ids: databases, info files; by default none."""
        return iter(())

    @classmethod
    def check_run(cls, results: RunResults) -> None:
        """Raises InputError for a run that has nothing of what this format is made from; by default any run will do."""

    @classmethod
    def problems(cls, folder: Path, scenes: Sequence[SceneFacts]) -> list[str] | None:  # noqa: ARG003
        """What a reader would refuse in a finished folder, in sentences; None where the format has no such rules."""
        return None

    def run_scene(self, job: SceneJob) -> Result:
        """Writes one scene; its result is the receipt."""
        from stages.export.delivery import deliver

        if self.needs_split and not job.split:
            raise SceneError(
                f"scene {job.scene} is in no split, and {self.name} has a folder for each: name it in --split FILE"
            )
        written = self.written(job)
        receipt = deliver(self.config.to, written.files)
        return Result(
            attributes={"files": receipt, "facts": dict(written.facts), "split": job.split},
            statistics={"files": float(len(receipt)), "bytes": float(sum(one["size"] for one in receipt.values()))},
            warnings=written.warnings,
        )


class Format(ExportStage):
    """Base of the formats of labels."""

    inputs: ClassVar[tuple[str, ...]] = ("scenes", "pseudo_labels")
    needs_normals: ClassVar[bool] = False
    """whether the trainer wants normals, which may come from the stage superpoints"""

    @abstractmethod
    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene; raises SceneError for what the format needs and the run does not have."""

    @classmethod
    def reads(cls) -> tuple[str, ...]:
        """Scenes, labels, and superpoints where normals are wanted."""
        return (*cls.inputs, "superpoints") if cls.needs_normals else cls.inputs

    def written(self, job: SceneJob) -> Written:
        """``scene_files`` of the scene and its labels."""
        from stages.export.delivery import read_labelled

        return self.scene_files(read_labelled(job, normals=self.needs_normals))


def npy_bytes(values: np.ndarray) -> bytes:
    """One array as the bytes of a .npy file."""
    import io

    import numpy as np

    stream = io.BytesIO()
    np.save(stream, np.ascontiguousarray(values), allow_pickle=False)
    return stream.getvalue()


def npz_bytes(**arrays: np.ndarray) -> bytes:
    """Several arrays as the bytes of a compressed .npz file, without times: equal arrays give equal bytes."""
    import io
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    stream = io.BytesIO()
    with ZipFile(stream, "w", ZIP_DEFLATED) as entries:
        for name, values in arrays.items():
            entry = ZipInfo(f"{name}.npy")
            entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o644 << 16
            entries.writestr(entry, npy_bytes(values))
    return stream.getvalue()


def torch_bytes(value: object) -> bytes:
    """Anything as ``torch.save`` writes it; equal values give equal bytes.

    Arrays are pickled under the name that NumPy had for its core before version 2, which every version reads: trainers
    often live with an old one.
    """
    import io
    import pickle
    from types import SimpleNamespace

    import torch

    class Pickler(pickle.Pickler):
        """Renames NumPy's core, which `torch.save` could not be told otherwise."""

        def __init__(self, file: io.BytesIO, protocol: int) -> None:
            self._file, self._written = file, io.BytesIO()
            super().__init__(self._written, protocol=protocol)
            # without a memo: which of several equal values are one and the same object must not change bytes
            self.fast = True

        def dump(self, obj: object) -> None:
            """Pickles with protocol 2, in which names of modules are lines of text."""
            super().dump(obj)
            self._file.write(self._written.getvalue().replace(_NUMPY_2, _NUMPY_1))

    stream = io.BytesIO()
    torch.save(value, stream, pickle_module=SimpleNamespace(__name__="pickle", Pickler=Pickler), pickle_protocol=2)
    return stream.getvalue()


def json_bytes(value: object) -> bytes:
    """Plain values as indented JSON; raises ValueError for numbers that JSON lacks."""
    import json

    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
