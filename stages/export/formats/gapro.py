"""GaPro's pseudo-labels: a tuple of five arrays a scene, in the two flavours of its trainers."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import numpy as np

from stages.export.base import Format, Written, npz_bytes, torch_bytes
from stages.export.classes import refuse_s3dis, scannet_ids
from stages.export.parts import beside, class_at_points, left_out, without_objects
from stages.export.scene import IGNORED, LabelledScene
from stages.typing import Float32, Int32, Int64

LABEL_TYPE = "gaussian_process_kl_pseudo_labels"
"""folder of the labels, as GaPro's configurations name it by default (``label_type``)"""
NOTHING = -100
_STUFF = 2
"""classes without instances, wall and floor, that GaPro's numbering leaves out"""

PseudoLabelTuple = tuple[
    Int32[np.ndarray, " M"],
    Int32[np.ndarray, " M"],
    Float32[np.ndarray, " M"],
    Float32[np.ndarray, " M"],
    Float32[np.ndarray, " M"],
]


class Gapro(Format):
    """``gaussian_process_kl_pseudo_labels/<scene>.pth``, (sem, inst, prob, mu, var), and ``superpoints/<scene>.pth``.

    All five are numpy arrays of one value a point, as the trainers read them (GaPro's own generator writes mu and var a
    superpoint, on which they fail). sem: int32 0..C-1, C for background (ScanNet: the 18 classes in its order, C = 18),
    -100 to be ignored. inst: int32 object, -100 none. prob: float32 probability of the label, 1 where it was
    determined, 0 to be ignored. mu, var: float32 latent moments toward the object that owns the point, -100 where no
    Gaussian Process ran or no object owns it. Those of the joint engine, boxgp's default, are of a function that is 1
    on the object and 0 elsewhere; those of ``posteriors.engine: variational``, as GaPro's, of one whose sign tells two
    boxes apart.

    Points and colours are not among these files: GaPro reads those that its own preparation writes, or ``softgroup``.
    Scenes for tests get superpoints alone.
    """

    version = 1

    def scene_files(self, labelled: LabelledScene) -> Written:
        """The files of one scene."""
        refuse_s3dis(labelled, "isbnet")
        files = {
            f"superpoints/{labelled.name}.pth": torch_bytes(self.superpoints(labelled.superpoint())),
            f"uncertainty/{labelled.name}.npz": npz_bytes(**beside(labelled)),
            **left_out(labelled),
        }
        if labelled.split != "test":
            files[f"{LABEL_TYPE}/{labelled.name}.pth"] = torch_bytes(pseudo_labels(labelled))
        names = (*scannet_ids(labelled.labels.class_names).names[_STUFF:], "background")
        facts = {"classes": {str(number): name for number, name in enumerate(names)}}
        return Written(files, facts, without_objects(labelled))

    @abstractmethod
    def superpoints(self, superpoint: Int64[np.ndarray, " M"]) -> object:
        """Superpoints as the reader wants them."""


class GaproIsbnet(Gapro):
    """GaPro for ISBNet: superpoints as a numpy array."""

    name = "gapro-isbnet"
    reader = "GaPro with ISBNet"

    def superpoints(self, superpoint: Int64[np.ndarray, " M"]) -> object:
        """int64 [M]; the reader calls ``torch.from_numpy``."""
        return superpoint


class GaproSpformer(Gapro):
    """GaPro for SPFormer: superpoints as a tensor."""

    name = "gapro-spformer"
    reader = "GaPro with SPFormer"

    def superpoints(self, superpoint: Int64[np.ndarray, " M"]) -> object:
        """int64 tensor [M]; the reader calls ``.numpy()``."""
        import torch

        return torch.from_numpy(superpoint)


def pseudo_labels(labelled: LabelledScene) -> PseudoLabelTuple:
    """(sem, inst, prob, mu, var) of kept points; raises SceneError for objects without a class."""
    ids = scannet_ids(labelled.labels.class_names)
    places = [train - _STUFF for train in ids.train_of_class]
    semantic = class_at_points(labelled, places, background=len(ids.names) - _STUFF, ignored=NOTHING)
    owner = labelled.owner[labelled.kept]
    return (
        semantic.astype(np.int32),
        np.where(owner >= 0, owner, NOTHING).astype(np.int32),
        np.where(owner == IGNORED, np.float32(0), beside(labelled)["probability"]),
        _latent(labelled, "latent_mean"),
        _latent(labelled, "latent_variance"),
    )


def _latent(labelled: LabelledScene, name: Literal["latent_mean", "latent_variance"]) -> Float32[np.ndarray, " M"]:
    """Latent moments at kept points; -100 where there are none."""
    found = labelled.at_points(labelled.of_own_object(name, np.nan), np.nan)[labelled.kept]
    return np.where(np.isnan(found), np.float32(NOTHING), found)
