"""A look at all scenes before a training: which can be learnt from, and what a user should know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from stages.training.batch import TrainingScene
from stages.training.stored import Folders, StoredScenes, class_names, stored_truth

_SHOWN = 5


@dataclass
class Survey:
    """What was found; scenes are named by id unless they are folders."""

    train: list[Folders] = field(default_factory=list)
    """scenes to learn from"""
    val: list[Folders] = field(default_factory=list)
    """scenes to validate on"""
    class_names: tuple[str, ...] = ()
    objects: Counter[int] = field(default_factory=Counter)
    """labelled objects by class, -1: the annotation names none"""
    empty: list[str] = field(default_factory=list)
    """without any point that has a region"""
    without_objects: list[str] = field(default_factory=list)
    without_truth: list[str] = field(default_factory=list)

    def warnings(self) -> Iterator[str]:
        """What a user should know, in words."""
        if self.empty:
            yield f"{_scenes(self.empty)} left out: no point there has a region"
        if self.without_objects:
            yield f"{_scenes(self.without_objects)} without a labelled object: nothing but background is learnt there"
        missing = [name for number, name in enumerate(self.class_names) if not self.objects[number]]
        if missing:
            yield f"no example of class {_few(missing)} in the scenes for training: it cannot be learnt"
        if self.objects[-1]:
            yield f"{self.objects[-1]} objects without a class: their masks are learnt, not what they are"
        if self.without_truth:
            yield f"{_scenes(self.without_truth)} without ground truth: validation leaves them out"
        if not self.val:
            yield "no scene with ground truth in splits.val: the training is not validated"


def survey(scenes: Sequence[tuple[str, Folders]], report: Callable[[int], None]) -> Survey:
    """Reads all scenes once, (split, folders) each; ``report`` is told how many it has read.

    Raises ValueError where scenes do not belong together, or where there is nothing to learn from.
    """
    found = Survey()
    for place, (split, folders) in enumerate(scenes):
        names = class_names(folders)
        found.class_names = found.class_names or names
        if names != found.class_names:
            raise ValueError(
                f"scene {folders['scene']} has the classes {_few(names)}, those before it {_few(found.class_names)}"
            )
        scene = StoredScenes([folders])[0]
        if not scene.regions:
            found.empty.append(scene.scene)
        elif split == "train":
            _learn_from(scene, folders, found)
        elif stored_truth(folders) is None:
            found.without_truth.append(scene.scene)
        else:
            found.val.append(folders)
        report(place + 1)
    if not found.train:
        raise ValueError("there is no scene to learn from: splits.train names none that has points and labels")
    return found


def _learn_from(scene: TrainingScene, folders: Folders, found: Survey) -> None:
    found.train.append(folders)
    classes = [] if scene.labels is None else scene.labels.class_index.tolist()
    found.objects.update(classes)
    if not classes:
        found.without_objects.append(scene.scene)


def _scenes(names: Sequence[str]) -> str:
    return f"{'scene' if len(names) == 1 else f'{len(names)} scenes'} {_few(names)}"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
