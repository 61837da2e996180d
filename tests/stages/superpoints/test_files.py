import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import SceneError
from stages.superpoints.files import find_partition, read_partition

IDS = np.array([5, 5, 9, 2])
EXPECTED = [1, 1, 2, 0]


def write(folder: Path, suffix: str) -> Path:
    path = folder / f"room{suffix}"
    if suffix == ".npy":
        np.save(path, IDS)
    elif suffix == ".npz":
        np.savez(path, superpoint=IDS)
    elif suffix == ".pth":
        torch.save(torch.from_numpy(IDS), path)
    else:
        path.write_text(json.dumps({"segIndices": IDS.tolist()}))
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pth", "_vh_clean_2.0.010000.segs.json"])
def test_every_kind_is_found_and_made_contiguous(tmp_path: Path, suffix: str) -> None:
    written = write(tmp_path, suffix)
    assert find_partition(tmp_path, "room") == written
    assert read_partition(written, 4, trust_pickle=False).tolist() == EXPECTED


def test_none_and_several_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="no partition for scene room"):
        find_partition(tmp_path, "room")
    write(tmp_path, ".npy")
    write(tmp_path, ".pth")
    with pytest.raises(SceneError, match="several partitions"):
        find_partition(tmp_path, "room")


def test_wrong_length_names_both(tmp_path: Path) -> None:
    with pytest.raises(SceneError, match=r"\[4\], but the scan has 5 points"):
        read_partition(write(tmp_path, ".npy"), 5, trust_pickle=False)


def test_pickles_open_only_when_trusted(tmp_path: Path) -> None:
    path = tmp_path / "room.pth"
    torch.save({"superpoint": IDS, "who": Path}, path)
    with pytest.raises(SceneError, match="trust_pickle"):
        read_partition(path, 4, trust_pickle=False)
    torch.save(IDS, path)
    assert read_partition(path, 4, trust_pickle=True).tolist() == EXPECTED


def test_truncated_file(tmp_path: Path) -> None:
    path = write(tmp_path, ".npy")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(SceneError, match="cannot be read"):
        read_partition(path, 4, trust_pickle=False)
