"""The public import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import boxgp


@pytest.mark.parametrize("name", boxgp.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    found = getattr(boxgp, name)
    assert found.__name__ == name
    assert found.__doc__
    assert name in dir(boxgp)


def test_the_import_costs_nothing() -> None:
    heavy = "[one for one in ('torch', 'numpy', 'zarr', 'stages.training', 'pydantic') if one in sys.modules]"
    code = f"import sys, boxgp; print({heavy})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_losses_need_no_reader_of_files() -> None:
    code = "import sys, boxgp; boxgp.gaussian_kl; boxgp.mask_bce; print('zarr' in sys.modules, 'open3d' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "False"]


def test_other_names_are_missing_as_usual() -> None:
    with pytest.raises(AttributeError, match="module 'boxgp' has no attribute 'labels'"):
        boxgp.labels  # noqa: B018


def test_the_documentation_names_the_losses() -> None:
    assert boxgp.__doc__
    assert [name for name in boxgp.__all__ if name not in boxgp.__doc__] == []
