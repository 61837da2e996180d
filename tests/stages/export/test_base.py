"""Bytes that formats are made of."""

from __future__ import annotations

import io
import json
import time
import zipfile

import numpy as np
import pytest
import torch

from stages.export.base import json_bytes, npy_bytes, npz_bytes, torch_bytes


def test_npy_bytes_are_read_back_without_pickle() -> None:
    values = np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::-1]
    found = np.load(io.BytesIO(npy_bytes(values)), allow_pickle=False)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, values)


def test_object_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        npy_bytes(np.array([None, {}], object))


def test_npz_bytes_carry_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"a": np.arange(4.0), "b": np.zeros((2, 0), np.uint8)}
    first = npz_bytes(**arrays)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2e9))
    assert npz_bytes(**arrays) == first
    with np.load(io.BytesIO(first)) as found:
        assert found.files == ["a", "b"]
        np.testing.assert_array_equal(found["a"], arrays["a"])
        assert found["b"].shape == (2, 0)


def test_torch_bytes_are_what_trainers_load() -> None:
    value = (np.arange(3.0), np.ones((2, 3), np.float32), torch.arange(4))
    content = torch_bytes(value)
    assert content == torch_bytes((np.arange(3.0), np.ones((2, 3), np.float32), torch.arange(4)))
    floats, ones, numbers = torch.load(io.BytesIO(content), weights_only=False)
    np.testing.assert_array_equal(floats, value[0])
    assert ones.dtype == np.float32
    assert torch.equal(numbers, value[2])


def test_torch_bytes_name_a_module_that_numpy_1_has() -> None:
    with zipfile.ZipFile(io.BytesIO(torch_bytes((np.arange(3),)))) as entries:
        (pickled,) = [entries.read(name) for name in entries.namelist() if name.endswith("data.pkl")]
    assert b"cnumpy.core.multiarray\n_reconstruct\n" in pickled
    assert b"numpy._core" not in pickled


def test_json_bytes_are_one_value_and_finite() -> None:
    assert json.loads(json_bytes({"a": [1, 2.5, "ä"]})) == {"a": [1, 2.5, "ä"]}
    with pytest.raises(ValueError, match="JSON"):
        json_bytes({"a": float("nan")})
