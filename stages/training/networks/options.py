"""Checks a user's options against the keyword arguments of a network."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

Options = Mapping[str, inspect.Parameter]

EXACT: Mapping[Any, tuple[type, ...]] = {
    bool: (bool,),
    float: (float, int),
    int: (int,),  # not a bool, which is an int to Python
    str: (str,),
    NoneType: (NoneType,),
}


class OptionsError(ValueError):
    """The options do not fit the network."""


def check_options(network: type, options: Mapping[str, Any], name: str) -> None:
    """Raises OptionsError, with what is valid, unless ``network(classes, **options)`` can be called.

    Types are checked where the arguments are annotated with plain ones; a list is a valid sequence or tuple, a whole
    number a valid float.
    """
    parameters, open_ended = _options_of(network)
    unknown = [] if open_ended else [key for key in options if key not in parameters]
    if unknown:
        near = get_close_matches(unknown[0], parameters, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise OptionsError(f"network {name} has no option {unknown[0]!r}{hint} Valid: {_listing(parameters)}")
    missing = [key for key, one in parameters.items() if one.default is one.empty and key not in options]
    if missing:
        raise OptionsError(f"network {name} needs a value for its option {missing[0]!r}")
    hints = _hints(network)
    for key, value in options.items():
        if key in hints and not _fits(value, hints[key]):
            expected = parameters[key].annotation
            expected = (
                expected
                if isinstance(expected, str)
                else inspect.formatannotation(expected).replace("collections.abc.", "")
            )
            raise OptionsError(f"option {key!r} of network {name}: {value!r} given; expected {expected}")


def _options_of(network: type) -> tuple[Options, bool]:
    """Arguments by name after the first one, the number of classes; whether any others are taken as well."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = list(inspect.signature(network).parameters.values())
    found = {one.name: one for one in parameters[1:] if one.kind in named}
    return found, any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters)


def _listing(parameters: Options) -> str:
    shown = (key if one.default is one.empty else f"{key} ({one.default!r})" for key, one in parameters.items())
    return ", ".join(shown) or "it has none"


def _hints(network: type) -> dict[str, Any]:
    try:
        return get_type_hints(network.__init__)  # type: ignore[misc]
    except NameError:  # names that only a type checker imports
        return {}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value as YAML gives it is of the annotated type; annotations of other kinds fit everything."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return any(_fits(value, one) for one in arguments)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in arguments)
    kind = origin or hint
    if kind in EXACT:
        return type(value) in EXACT[kind]
    if isinstance(kind, type) and issubclass(kind, Sequence):
        return _fits_sequence(value, kind, arguments)
    return not (isinstance(kind, type) and issubclass(kind, Mapping)) or isinstance(value, Mapping)


def _fits_sequence(value: Any, kind: type, arguments: tuple[Any, ...]) -> bool:
    if not isinstance(value, list | tuple):
        return False
    if issubclass(kind, tuple) and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    return not arguments or all(_fits(one, arguments[0]) for one in value)
