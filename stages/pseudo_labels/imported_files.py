"""GaPro's label files, opened without running what may be in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import SceneError
from stages.export.classes import scannet_ids
from stages.pseudo_labels.config import PseudoLabelsConfig
from stages.pseudo_labels.imported import import_labels
from stages.pseudo_labels.imported_regions import GivenLabels
from stages.pseudo_labels.labels import PseudoLabels
from stages.structures import Scene, Superpoints

SUFFIX = ".pth"
_NAMES = ("sem", "inst", "prob", "mu", "var")


def label_files(config: PseudoLabelsConfig, scene: str) -> tuple[Path, ...]:
    """The files of a scene that exist: its labels, and their regions where a folder of these is given."""
    folders = [folder for folder in (config.path, config.superpoints) if folder is not None]
    return tuple(path for path in (folder / f"{scene}{SUFFIX}" for folder in folders) if path.is_file())


def imported_labels(
    scene: Scene, superpoints: Superpoints, config: PseudoLabelsConfig
) -> tuple[PseudoLabels, list[str]]:
    """The labels in a scene's file, and what is odd about them; raises SceneError where they cannot be used."""
    if config.path is None:
        raise ValueError("pseudo_labels.path is not set")
    path = config.path / f"{scene.scene}{SUFFIX}"
    given = read_labels_file(path, trust=config.trust_pickle)
    ids = None
    if config.superpoints is not None:
        ids = read_ids_file(config.superpoints / f"{scene.scene}{SUFFIX}", trust=config.trust_pickle)
    # the files number classes without wall and floor, and call background what comes after the last one
    numbering = scannet_ids(scene.class_names)
    semantic_of_class = tuple(train - 2 for train in numbering.train_of_class)
    try:
        return import_labels(scene, superpoints, given, ids, semantic_of_class, len(numbering.names) - 2)
    except ValueError as error:
        raise SceneError(f"scene {scene.scene}: {path}: {error}") from error


def read_labels_file(path: Path, *, trust: bool) -> GivenLabels:
    """The five arrays in ``path``; raises SceneError where they are not there, or not of that form."""
    content = _load(path, trust=trust)
    if not isinstance(content, tuple | list) or len(content) != len(_NAMES):
        what = f"{len(content)} things" if isinstance(content, tuple | list) else f"a {type(content).__name__}"
        raise SceneError(f"{path} holds {what}, not GaPro's five arrays ({', '.join(_NAMES)})")
    kinds = dict(zip(_NAMES, ("iuf", "iuf", "f", "f", "f"), strict=True))
    arrays = [_array(values, kinds[name], f"{path}: {name}") for values, name in zip(content, _NAMES, strict=True)]
    lengths = [len(one) for one in arrays]
    if len(set(lengths[:3])) > 1 or lengths[3] != lengths[4]:
        shown = ", ".join(f"{name} {length}" for name, length in zip(_NAMES, lengths, strict=True))
        raise SceneError(f"{path}: its arrays have lengths that do not belong together: {shown}")
    semantic, instance = (_whole(one, f"{path}: {name}") for one, name in zip(arrays[:2], _NAMES[:2], strict=True))
    return GivenLabels(semantic, instance, *(one.astype(np.float32) for one in arrays[2:]))


def read_ids_file(path: Path, *, trust: bool) -> np.ndarray:
    """The region of each point, int64 [L]; raises SceneError where that is not what ``path`` holds."""
    return _whole(_array(_load(path, trust=trust), "iu", str(path)), str(path))


def _array(values: Any, kinds: str, where: str) -> np.ndarray:
    """One row of numbers."""
    import torch

    found = np.asarray(values.detach().cpu() if isinstance(values, torch.Tensor) else values)
    if not isinstance(values, np.ndarray | torch.Tensor) or found.ndim != 1 or found.dtype.kind not in kinds:
        names = " or ".join({"i": "integer", "u": "unsigned", "f": "float"}[kind] for kind in kinds)
        raise SceneError(f"{where} is {type(values).__name__} {found.dtype}{list(found.shape)}, expected {names} [N]")
    return found


def _whole(values: np.ndarray, where: str) -> np.ndarray:
    if not np.array_equal(values, np.rint(values)):
        raise SceneError(f"{where} has numbers that are not whole")
    return values.astype(np.int64)


def _load(path: Path, *, trust: bool) -> Any:
    """What ``torch.save`` wrote: numbers, containers, tensors and numpy arrays; more only where the file is trusted."""
    import torch

    if not path.is_file():
        raise SceneError(f"{path} does not exist: this scene has no labels to import")
    try:
        with torch.serialization.safe_globals(_numpy_types()):
            return torch.load(path, map_location="cpu", weights_only=not trust)
    except Exception as error:
        if trust:
            raise SceneError(f"{path} cannot be read ({_first_line(error)}): get the file again") from error
        raise SceneError(
            f"{path} cannot be opened safely ({_first_line(error)}); if you trust whoever wrote it, as it may run code "
            "of theirs, use --trust-pickle (pseudo_labels.trust_pickle: true)"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().partition("\n")[0].rstrip(".")


def _numpy_types() -> list[Any]:
    """What arrays of numbers consist of, under the names that numpy 1 and numpy 2 write."""
    from numpy._core import multiarray

    numbers = [np.dtype(kind) for kind in ("?bBhHiIlLqQefd")]
    types: list[Any] = [np.ndarray, np.dtype, *{type(one) for one in numbers}]
    return types + [(multiarray._reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
