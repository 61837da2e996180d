"""Which reader belongs to which source."""

from __future__ import annotations

from pipeline.stage import SceneJob, Source
from stages.scenes import folder, rooms_reader, s3dis, scannet
from stages.scenes.config import FolderConfig, S3disConfig, ScannetConfig
from stages.scenes.rooms_config import RoomsConfig
from stages.scenes.scan import Scan

AnyConfig = FolderConfig | ScannetConfig | S3disConfig | RoomsConfig


def discover(config: AnyConfig) -> list[Source]:
    """The scenes of a source, sorted by id; raises InputError where there are none."""
    match config:
        case FolderConfig():
            sources = folder.discover(config)
        case ScannetConfig():
            sources = scannet.discover(config)
        case S3disConfig():
            sources = s3dis.discover(config)
        case RoomsConfig():
            sources = rooms_reader.discover(config)
    return sorted(sources, key=lambda source: source.scene)


def read(job: SceneJob, config: AnyConfig) -> Scan:
    """One scan of a source; raises SceneError where it cannot be read."""
    match config:
        case FolderConfig():
            return folder.read(job.scene, job.files, config)
        case ScannetConfig():
            return scannet.read(job.scene, job.files, config)
        case S3disConfig():
            return s3dis.read(job.scene, job.files, config)
        case RoomsConfig():
            return rooms_reader.read(job.scene, job.seed, config)
