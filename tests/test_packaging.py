"""The wheel: what is in it, and that it runs from an environment and a folder that know nothing of this checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
SMALL_DEMO = ["run", "demo", "--set", "scenes.count=1", "--set", "scenes.points=20000"]


def _call(command: list[str | Path], folder: Path) -> str:
    """Runs ``command`` in ``folder`` without PYTHONPATH and gives what it printed; fails the test where it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    completed = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=250
    )
    assert completed.returncode == 0, (
        f"{command} ended with {completed.returncode}\n{completed.stdout}{completed.stderr}"
    )
    return completed.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution of a copy: no stale build folder, no network."""
    source, target = tmp_path_factory.mktemp("source") / "boxgp", tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "outputs")
    shutil.copytree(ROOT, source, ignore=unwanted)
    _call([sys.executable, "-m", "build", "--no-isolation", "--outdir", target], source)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``boxgp`` in a clean environment that sees the dependencies of this one, but not its editable installation."""
    environment = tmp_path_factory.mktemp("clean environment")
    venv.create(environment)
    python = environment / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    _call([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], environment)
    # Python ignores .pth files inside a folder that another .pth file names: that hides the editable installation.
    site_packages = _call([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], environment).strip()
    Path(site_packages, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin" / "boxgp"


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = [ROOT.joinpath(*package.split(".")) for package in packages]
    code = {str(path.relative_to(ROOT)) for folder in folders for path in folder.glob("*.py")}
    configurations = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yaml")}
    assert "configs/demo.yaml" in configurations
    pages = {
        str(path.relative_to(ROOT)) for end in ("html", "css", "js") for path in (ROOT / "stages").rglob(f"*.{end}")
    }
    assert {"stages/report/page.html", "stages/review/page/page.html"} <= pages
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in inside if ".dist-info/" not in name} == code | configurations | pages | {"boxgp.py"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in inside)


def test_installed_code_is_the_wheels(command: Path) -> None:
    statement = "import boxgp, configs, pipeline, stages; print(boxgp.__file__, *configs.__path__, *pipeline.__path__)"
    printed = _call([command.with_name("python"), "-c", statement], Path("/"))
    assert printed.count(str(command.parent.parent)) == 3
    assert str(ROOT) not in printed


@pytest.mark.parametrize(("argument", "answer"), [("--help", "run"), ("stages", "pseudo_labels")])
def test_command_answers_from_the_root_folder(command: Path, argument: str, answer: str) -> None:
    assert answer in _call([command, argument], Path("/"))


def test_demo_runs_from_the_root_folder(command: Path, tmp_path: Path) -> None:
    _call([command, *SMALL_DEMO, "--output", tmp_path], Path("/"))
    assert len(list(tmp_path.glob("round_00/pseudo_labels/*/data.zarr.zip"))) == 1


def test_packages_in_the_current_folder_are_not_imported(command: Path, tmp_path: Path) -> None:
    for name in ("configs", "pipeline", "stages"):
        decoy = tmp_path / "decoy" / name / "__init__.py"
        decoy.parent.mkdir(parents=True)
        decoy.write_text(f"raise ImportError('the {name} of the current folder was imported')\n")
    _call([command, *SMALL_DEMO, "--output", tmp_path / "run"], tmp_path / "decoy")
    assert len(list(tmp_path.glob("run/round_00/pseudo_labels/*/data.zarr.zip"))) == 1
