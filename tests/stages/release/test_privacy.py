"""Nothing that names people, machines or paths gets through; nothing else is lost."""

import pytest

from stages.release.privacy import Privacy, names_in_paths

PRIVACY = Privacy.of(["ada", "node17.cluster.example", "x"])


@pytest.mark.parametrize(
    "text",
    [
        "/data/scans", "see /data/scans", "file:/data", "~/scans", "~bob/scans", r"C:\scans", r"\\server\share",
        "ADA", "labels_of_ada", "by ada.", "ada@lab", "node17", "node17.cluster.example", "tcp://node17:8786",
    ],
)  # fmt: skip
def test_texts_that_tell(text: str) -> None:
    assert PRIVACY.tells(text)


@pytest.mark.parametrize("text", ["", "graph", "adapt", "./net.py:Net", "a/b", "1/2", "x", "node170", "and/or"])
def test_texts_that_do_not(text: str) -> None:
    assert not PRIVACY.tells(text)


def test_short_names_are_words_and_no_names() -> None:
    assert Privacy.of(["vm", "", "al.lab"]).names == {"al.lab"}
    assert not Privacy.of([]).tells("anything at all")


def test_keys_that_tell_are_left_out_and_named() -> None:
    values = {
        "seed": 0,
        "scenes": {"path": "/data/ada", "source": "folder", "classes": ["ada", "chair"]},
        "training": {"options": {"note": ["fine", "by ada"], "ada": 1, "depth": {"of": "~/x", "width": 2}}},
        "pairs": [{"a": "/b"}],
    }
    kept, left_out = PRIVACY.without(values, published=["scenes.classes"])
    assert kept == {
        "seed": 0,
        "scenes": {"source": "folder", "classes": ["ada", "chair"]},
        "training": {"options": {"depth": {"width": 2}}},
    }
    assert left_out == [
        "scenes.path", "training.options.note", "training.options.(a name)", "training.options.depth.of", "pairs",
    ]  # fmt: skip


def test_file_names_stay_readable() -> None:
    assert PRIVACY.cleaned("scan_ada_3.npz") == "scan_x_3.npz"
    assert PRIVACY.cleaned("/home/eve/scan.npz") == "scan.npz"
    assert PRIVACY.cleaned("scan.npz") == "scan.npz"


def test_users_are_found_in_paths() -> None:
    assert names_in_paths(["/home/eve/x", r"C:\Users\Bob\y", '{"path":"/Users/ann"}', "/data/z"]) == {
        "eve",
        "Bob",
        "ann",
    }
