"""Finds a network by its name: a built-in one, or a user's own in a module or in a file.

It imports torch only where a network is checked or built, so that plans can name a network's version at once.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stages.training.networks.options import OptionsError, check_options

if TYPE_CHECKING:
    from stages.training.network import Network

BUILT_IN = {
    "pointgroup": "stages.training.networks.pointgroup:Pointgroup",
    "spformer": "stages.training.networks.spformer:Spformer",
}


def build_network(name: str, classes: int, options: Mapping[str, Any], folder: Path) -> Network:
    """The network ``name`` for so many classes, with ``options`` as its keyword arguments.

    ``name`` is built-in (``spformer``), of an installed module (``mypackage.net:Net``) or of a file relative to
    ``folder`` (``./net.py:Net``). Raises ValueError, with what is valid, where there is none, where it is no Network
    and where it has no such options.
    """
    network = _found(name, folder)
    check_options(network, options, name)
    return network(classes, **options)


def check_network(name: str, options: Mapping[str, Any], folder: Path) -> None:
    """Raises ValueError where ``build_network`` would, as far as that can be told without building a user's network.

    It is an OptionsError where other options would do. A user's code that cannot be imported for want of something
    that only some machines have, such as a GPU's library, is not refused: the machine that trains may have it.
    """
    try:
        network = _found(name, folder)
    except NotHereError:
        return
    check_options(network, options, name)
    if name in BUILT_IN:
        try:
            network(1, **options)
        except ValueError as error:  # values that do not fit together
            raise OptionsError(str(error)) from error


class NotHereError(ValueError):
    """The code needs what this machine lacks."""


def _found(name: str, folder: Path) -> type[Network]:
    """The class of a network; importing it executes the user's code."""
    place, class_name = _parts(BUILT_IN.get(name, name))
    module = _from_file(folder / place) if _is_file(place) else _from_module(place)
    return _network_class(module, class_name, name)


def network_version(name: str, folder: Path) -> str:
    """What identifies the code of a user's network, "" for a built-in one.

    The sha256 of its file; of all Python files of a package where the class is named in the package itself. Other
    files that it imports do not count. Raises ValueError where there is no such file.
    """
    if name in BUILT_IN:
        return ""
    place, _ = _parts(name)
    if _is_file(place):
        return hashlib.sha256(_existing(folder / place).read_bytes()).hexdigest()
    file = _file_of(place)
    if file.name != "__init__.py":
        return hashlib.sha256(file.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for path in sorted(file.parent.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(file.parent).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _parts(name: str) -> tuple[str, str]:
    """Module or file, and class, of a network's name."""
    place, _, class_name = name.rpartition(":")
    if place and class_name.isidentifier():
        return place, class_name
    raise ValueError(
        f"there is no network {name!r}{_suggestion(name, BUILT_IN)} Built-in: {', '.join(BUILT_IN)}. "
        "One of your own is named with its class: mypackage.net:Net, or ./net.py:Net for a file"
    )


def _suggestion(given: str, valid: Iterable[str]) -> str:
    near = get_close_matches(given, list(valid), n=1)
    return f"; did you mean {near[0]}?" if near else "."


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or "\\" in place


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    reason = "is a folder, not a Python file" if path.is_dir() else "does not exist"
    near = _suggestion(path.name, (one.name for one in path.parent.glob("*.py")))
    raise ValueError(f"network file {path} {reason}{near.rstrip('.')}")


def _from_file(path: Path) -> ModuleType:
    """The module of a file, which need not lie where Python looks for modules."""
    spec = importlib.util.spec_from_file_location(f"network_of_{path.stem}", _existing(path))
    if spec is None or spec.loader is None:
        raise ValueError(f"network file {path} is no Python file: its name has to end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise _not_imported(str(path), error) from error
    return module


def _from_module(name: str) -> ModuleType:
    _file_of(name)
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _not_imported(f"module {name}", error) from error


def _file_of(module: str) -> Path:
    """Where the source of ``module`` lies; imports the packages around it, not the module."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _not_imported(f"the package of module {module}", error) from error
        spec = None
    except Exception as error:
        raise _not_imported(f"the package of module {module}", error) from error
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise ValueError(
            f"there is no module {module} with a network: install its package where boxgp is installed, "
            "or name its file: ./net.py:Net"
        )
    return Path(spec.origin)


def _not_imported(what: str, error: Exception) -> ValueError:
    """The user's own code failed; its traceback stays in the cause."""
    elsewhere = isinstance(error, OSError | ImportError) and not isinstance(error, ModuleNotFoundError)
    return (NotHereError if elsewhere else ValueError)(f"{what} could not be imported: {type(error).__name__}: {error}")


def _network_class(module: ModuleType, class_name: str, name: str) -> type[Network]:
    """The class, if it is a network that can be built."""
    from stages.training.network import Network

    found = vars(module).get(class_name)
    if isinstance(found, type) and issubclass(found, Network):
        if inspect.isabstract(found):
            missing = ", ".join(sorted(found.__abstractmethods__))
            raise ValueError(f"network {name} cannot be built: it does not define {missing}")
        return found
    classes = {one: value for one, value in vars(module).items() if isinstance(value, type)}
    networks = [one for one, value in classes.items() if issubclass(value, Network) and value is not Network]
    base = f"{Network.__module__}.{Network.__qualname__}"
    known = f" Networks there: {', '.join(networks) or 'none'}; each is a class derived from {base}"
    if found is None:
        raise ValueError(f"{module.__file__} has no {class_name}{_suggestion(class_name, networks)}{known}")
    raise ValueError(f"{name} is no network.{known}")
