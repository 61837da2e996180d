"""One hierarchy of errors whose messages are written for the person who runs the command.

Each message says what was wrong, where (file, scene, key) and what to do. The command maps the classes to exit codes:
``ConfigurationError`` and ``InputError`` raised before anything runs end it with 2, failures of scenes with 1.
"""

from __future__ import annotations


class BoxgpError(Exception):
    """Base of every error that boxgp raises on purpose; shown to the user without a traceback."""


class ConfigurationError(BoxgpError):
    """The configuration cannot be used: unknown key, wrong type, unknown name, missing file."""


class InputError(BoxgpError):
    """There is nothing to run on: no such folder, no scene in it, an output folder that cannot be written."""


class SceneError(BoxgpError):
    """One scene cannot be processed: truncated file, lengths that disagree, impossible boxes. The others go on."""


class StoreError(BoxgpError):
    """A result on disk cannot be read or written: torn folder, foreign version, full disk."""


class LostError(BoxgpError):
    """What ran the tasks is gone in the middle: a scheduler, a queue. What is finished is kept; a re-run goes on."""


class DependencyError(BoxgpError):
    """An optional or system dependency is missing; the message says how to install it."""
