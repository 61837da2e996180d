import base64
import json
import zlib

import numpy as np
import pytest

from stages.report.encoding import escaped, label_text, packed, script_json, without_folders

EVIL = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!--", "a & b", "\u2028")


@pytest.mark.parametrize("name", EVIL)
def test_no_name_ends_a_script_or_begins_markup(name: str) -> None:
    text = script_json({"name": [name]})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == {"name": [name]}
    assert "<" not in escaped(name)
    assert "<" not in label_text(name)


def test_quotes_cannot_leave_an_attribute() -> None:
    assert escaped("\"'") == "&quot;&#x27;"


def test_json_refuses_what_browsers_cannot_read() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/someone/scans/room.npz: cut off", "room.npz: cut off"),
        ("'/data/a b/room.npz'", "'a b/room.npz'"),
        ("C:\\Users\\someone\\room.npz", "room.npz"),
        ("~/scans/room.npz", "room.npz"),
        ("see (/mnt/x/y.ply)", "see (y.ply)"),
        ("1/2 of scans/room.npz, and/or 3 m/s", "1/2 of scans/room.npz, and/or 3 m/s"),
        ("5 / 7", "5 / 7"),
        ("https://example.org/page", "https://example.org/page"),
    ],
)
def test_folders_of_absolute_paths_are_taken_out(text: str, shown: str) -> None:
    assert without_folders(text) == shown


def test_known_folders_go_whatever_they_are_called() -> None:
    assert without_folders("/home/J. Doe/scans/a.npz", ("/home/J. Doe/scans", "/home/J. Doe")) == "a.npz"
    assert "Doe" not in without_folders("the folder /home/J. Doe", ("/home/J. Doe",))
    assert without_folders("a/b", ("/", "")) == "a/b"


def unpacked(content: dict[str, object]) -> dict[str, np.ndarray]:
    """What page.js does, once more."""
    stream = zlib.decompress(base64.b64decode(str(content["data"])))
    arrays, at = {}, 0
    for name, width, length in content["arrays"]:  # type: ignore[attr-defined]
        part = np.frombuffer(stream, np.uint8, width * length, at).reshape(width, length).astype(np.uint64)
        at += width * length
        values = (part * 256 ** np.arange(width, dtype=np.uint64)[:, None]).sum(axis=0)
        arrays[name] = np.cumsum(values) % 256**width if width > 1 else values
    assert at == len(stream)
    return arrays


def test_packed_arrays_come_back() -> None:
    generator = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {
        "bytes": generator.integers(0, 256, 50, dtype=np.uint8),
        "pairs": generator.integers(0, 65536, 70, dtype=np.uint16),
        "fours": generator.integers(0, 2**32, 30, dtype=np.uint32),
        "none": np.zeros(0, np.uint16),
    }
    found = unpacked(packed(arrays))
    assert {name: values.tolist() for name, values in found.items()} == {
        name: values.tolist() for name, values in arrays.items()
    }


def test_sorted_values_shrink() -> None:
    values = np.sort(np.random.default_rng(0).integers(0, 65536, 20000, dtype=np.uint16))
    shuffled = np.random.default_rng(1).permutation(values)
    assert len(packed({"x": values})["data"]) < 0.5 * len(packed({"x": shuffled})["data"])


@pytest.mark.parametrize("values", [np.zeros(3, np.int32), np.zeros(3, np.uint64), np.zeros((2, 2), np.uint8)])
def test_other_arrays_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="only rows of"):
        packed({"x": values})
