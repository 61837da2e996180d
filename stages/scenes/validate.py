"""Everything that is wrong with a folder of scans, before anything runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.errors import InputError
from pipeline.stage import SceneJob, Source
from stages.scenes.annotate import assemble
from stages.scenes.config import FolderConfig, S3disConfig, ScannetConfig
from stages.scenes.readers import AnyConfig, discover, read
from stages.scenes.scan import Finding, ScanError


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one scene: an error (the scene would fail) or a warning."""

    scene: str
    severity: Literal["error", "warning"]
    message: str
    remedy: str


def validate_path(path: Path, config: AnyConfig | None = None) -> list[Problem]:
    """All problems of the scenes in ``path``, scene by scene, as ``config`` reads them.

    Without a configuration the layout (own scans, ScanNet, S3DIS) is recognised and read with the defaults. A point
    file is checked alone. Raises InputError where there is no such path or no scene.
    """
    folder = path if path.is_dir() else path.parent
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if config is None:
        config = recognized(folder)
    sources = [source for source in discover(config) if path.is_dir() or path in source.files]
    if not sources:
        raise InputError(f"{path}: not the file of a scene; looked for .npz, .ply and .pcd")
    return [problem for source in sources for problem in _problems(source, config)]


def recognized(path: Path) -> AnyConfig:
    """The source that a folder's layout speaks for, with default options; raises InputError for none."""
    candidates: tuple[AnyConfig, ...] = (FolderConfig(path=path), ScannetConfig(path=path), S3disConfig(path=path))
    looked_for = []
    for config in candidates:
        try:
            discover(config)
        except InputError as problem:
            looked_for.append(str(problem))
        else:
            return config
    raise InputError("; ".join(looked_for))


def _problems(source: Source, config: AnyConfig) -> list[Problem]:
    findings: list[Finding]
    try:
        findings = assemble(read(SceneJob(source.scene, {}, source.files), config), config, seed=0)[1]
    except ScanError as problem:
        findings = [problem.finding]
    return [Problem(source.scene, finding.severity, finding.message, finding.remedy) for finding in findings]
