from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stages.training.network import Network
from stages.training.networks.load import BUILT_IN, build_network, check_network, network_version
from stages.training.networks.options import OptionsError

NET = """
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from stages.training.network import Network

@dataclass
class Numbers:
    one: int = 1

class Net(Network):
    def __init__(
        self, classes: int, *, depth: int = 2, rate: float = 0.1, widths: Sequence[int] = (8, 8), deep: bool = False,
        kind: Literal["big", "small"] = "big", label: str | None = None, pair: tuple[int, float] = (1, 2.0),
    ) -> None:
        super().__init__(classes)
        self.depth, self.rate, self.widths = depth, rate, widths

    def forward(self, batch, generator):
        raise NotImplementedError

class Unfinished(Network):
    pass

class Demanding(Net):
    def __init__(self, classes, *, size):
        super().__init__(classes)

class Open(Net):
    def __init__(self, classes, **options):
        super().__init__(classes)
        self.options = options

class Helper:
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package ``toynets`` with the module ``toynets.net``."""
    package = tmp_path / "toynets"
    package.mkdir()
    (package / "__init__.py").write_text("from toynets.net import Net\n")
    (package / "net.py").write_text(NET)
    (package / "broken.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module in [one for one in sys.modules if one.partition(".")[0] == "toynets"]:
        monkeypatch.delitem(sys.modules, module)
    return package


def _refusal(name: str, folder: Path, options: Mapping[str, Any] | None = None) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        build_network(name, 3, options or {}, folder)
    return str(caught.value)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_built_in_networks_are_built(name: str, tmp_path: Path) -> None:
    network = build_network(name, 3, {}, tmp_path)
    assert isinstance(network, Network)
    assert network.classes == 3
    assert network_version(name, tmp_path) == ""


def test_network_of_a_file(folder: Path) -> None:
    network = build_network("./net.py:Net", 4, {"depth": 5, "widths": [1, 2], "rate": 1}, folder)
    assert isinstance(network, Network)
    assert [network.classes, network.depth, network.widths, network.rate] == [4, 5, [1, 2], 1]
    assert isinstance(build_network(f"{folder}/net.py:Net", 4, {}, Path("/")), Network)


def test_changed_file_is_read_again(folder: Path) -> None:
    before = network_version("./net.py:Net", folder)
    assert before == hashlib.sha256(NET.encode()).hexdigest()
    build_network("./net.py:Net", 4, {}, folder)
    (folder / "net.py").write_text(NET.replace("depth: int = 2", "depth: int = 17"))
    assert build_network("./net.py:Net", 4, {}, folder).depth == 17
    assert network_version("./net.py:Net", folder) != before


@pytest.mark.parametrize("name", ["toynets.net:Net", "toynets:Net"])
def test_network_of_a_module(name: str, package: Path) -> None:
    assert isinstance(build_network(name, 4, {"depth": 1}, package), Network)


def test_version_of_a_module_is_that_of_its_file(package: Path) -> None:
    assert network_version("toynets.net:Net", package) == hashlib.sha256(NET.encode()).hexdigest()


def test_version_of_a_package_is_that_of_all_its_files(package: Path) -> None:
    before = network_version("toynets:Net", package)
    assert network_version("toynets:Net", Path("/")) == before
    (package / "net.py").write_text(NET + "\n")
    assert network_version("toynets:Net", package) != before


def test_version_needs_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stages.training.networks.load import network_version; "
        f"network_version('./net.py:Net', Path({str(folder)!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("spfromer", "did you mean spformer? Built-in: pointgroup, spformer. One of your own"),
        ("resnet", "there is no network 'resnet'. Built-in"),
        ("./net.py", "named with its class: mypackage.net:Net, or ./net.py:Net"),
        ("./net.py:", "named with its class"),
        ("./nets.py:Net", "nets.py does not exist; did you mean net.py?"),
        ("elsewhere/net.py:Net", "elsewhere/net.py does not exist"),
        ("./:Net", "is a folder, not a Python file"),
        ("no_such_package.net:Net", "there is no module no_such_package.net with a network: install its package"),
        ("toynets.nets:Net", "there is no module toynets.nets"),
        ("toynets.net.deeper:Net", "there is no module toynets.net.deeper"),
        ("sys:Net", "there is no module sys"),
        (".net:Net", "could not be imported"),
    ],
)
def test_what_is_nowhere_is_refused(name: str, words: str, version: bool, folder: Path, package: Path) -> None:
    if version:
        with pytest.raises(ValueError, match=r"\w") as caught:
            network_version(name, folder)
        message = str(caught.value)
    else:
        message = _refusal(name, folder)
    assert words in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("./net.py:Nett", "net.py has no Nett; did you mean Net? Networks there: Net, Unfinished, Demanding, Open"),
        ("./net.py:Helper", "./net.py:Helper is no network. Networks there: Net"),
        ("./net.py:Sequence", "is no network"),
        ("./net.py:dataclass", "derived from stages.training.network.Network"),
        ("./net.py:Unfinished", "./net.py:Unfinished cannot be built: it does not define forward"),
        ("toynets.broken:Net", "could not be imported: ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
        ("./wrong.py:Net", "wrong.py could not be imported: SyntaxError"),
        ("./text.txt/../net.txt:Net", "does not exist"),
        ("./notes.txt:Net", "its name has to end in .py"),
    ],
)
def test_what_is_no_network_is_refused(name: str, words: str, folder: Path, package: Path) -> None:
    (folder / "wrong.py").write_text("class Net(:\n")
    (folder / "notes.txt").write_text("class Net: pass\n")
    assert words in _refusal(name, folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dept": 1}, "network ./net.py:Net has no option 'dept'; did you mean depth? Valid: depth (2), rate (0.1)"),
        ({"classes": 1}, "has no option 'classes'"),
        ({"depth": 1.5}, "option 'depth' of network ./net.py:Net: 1.5 given; expected int"),
        ({"depth": True}, "True given; expected int"),
        ({"depth": "3"}, "'3' given"),
        ({"rate": "fast"}, "'fast' given; expected float"),
        ({"rate": None}, "None given"),
        ({"widths": 8}, "8 given; expected Sequence[int]"),
        ({"widths": "88"}, "'88' given"),
        ({"widths": [8, 1.5]}, "[8, 1.5] given"),
        ({"deep": 1}, "1 given; expected bool"),
        ({"kind": "medium"}, "'medium' given; expected Literal['big', 'small']"),
        ({"label": 7}, "7 given; expected str | None"),
        ({"pair": [1]}, "[1] given"),
        ({"pair": [1, "2"]}, "[1, '2'] given"),
    ],
)
def test_options_it_does_not_have_are_refused(options: dict[str, Any], words: str, folder: Path) -> None:
    assert words in _refusal("./net.py:Net", folder, options)


@pytest.mark.parametrize(
    "options", [{"label": None}, {"label": "a"}, {"pair": [1, 2]}, {"kind": "small"}, {"widths": ()}, {"deep": True}]
)
def test_valid_options_pass(options: dict[str, Any], folder: Path) -> None:
    assert isinstance(build_network("./net.py:Net", 2, options, folder), Network)


def test_option_without_default_is_asked_for(folder: Path) -> None:
    assert "needs a value for its option 'size'" in _refusal("./net.py:Demanding", folder)
    assert isinstance(build_network("./net.py:Demanding", 2, {"size": object()}, folder), Network)


def test_open_ended_options_pass(folder: Path) -> None:
    assert build_network("./net.py:Open", 2, {"anything": 1}, folder).options == {"anything": 1}


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("spformer", {"foo": 1}, "network spformer has no option 'foo'"),
        ("spformer", {"width": 10}, "width 10 of spformer is no multiple of its 4 heads"),
        ("pointgroup", {"widths": "wide"}, "option 'widths' of network pointgroup: 'wide' given"),
        ("./net.py:Net", {"depth": "deep"}, "option 'depth' of network ./net.py:Net: 'deep' given"),
        ("toynets.net:Net", {"dept": 1}, "did you mean depth?"),
    ],
)
def test_wrong_options_are_told_without_building(
    name: str, options: dict[str, Any], words: str, folder: Path, package: Path
) -> None:
    with pytest.raises(OptionsError) as caught:
        check_network(name, options, folder)
    assert words in str(caught.value)


def test_checking_builds_no_network_of_a_user(folder: Path) -> None:
    (folder / "net.py").write_text(NET.replace("super().__init__(classes)", "raise MemoryError"))
    check_network("./net.py:Net", {"depth": 3}, folder)


@pytest.mark.parametrize("error", ["ImportError('libcuda.so.1: cannot open')", "OSError('no such library')"])
def test_what_this_machine_lacks_is_not_refused_when_checking(error: str, folder: Path) -> None:
    (folder / "elsewhere.py").write_text(f"raise {error}\n")
    check_network("./elsewhere.py:Net", {"anything": 1}, folder)
    assert "could not be imported" in _refusal("./elsewhere.py:Net", folder)


@pytest.mark.parametrize("code", ["import no_such_module_anywhere", "class Net(:", "1 / 0", ""])
def test_broken_code_is_refused_when_checking(code: str, folder: Path) -> None:
    (folder / "broken.py").write_text(f"{code}\n")
    with pytest.raises(ValueError, match=r"broken\.py") as caught:
        check_network("./broken.py:Net", {}, folder)
    assert not isinstance(caught.value, OptionsError)
