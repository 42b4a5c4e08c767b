"""Errors that are about the input, not the program: one line tells the user what would do."""

from pathlib import Path
from typing import Any


def one_line(error: BaseException) -> str:
    """What an error says, without line breaks; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def typed_line(error: BaseException) -> str:
    """An error's type and what it says, without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def kind(value: Any) -> str:
    """What kind of thing a value is, with its article."""
    name = f"class {value.__name__}" if isinstance(value, type) else type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


class InputError(ValueError):
    """Bad input: a parameter, an argument or a file is not what it must be.

    The message names it, what was found, and what would do. A stage prints the message alone and
    exits with 2, which nobody retries. Any other error is a fault of the program or the machine.
    """


class MissingInputError(InputError, FileNotFoundError):
    """A file or folder that the input names is not there."""


class DamagedError(InputError):
    """A file that this project wrote is not as it was written. path: the file.

    Whoever made the file can make it anew, so that is what the message says; a stage adds how.
    """

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(f"{path}: {found}; remove it and make it anew")
        self.path = path
