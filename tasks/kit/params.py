"""Reading params.yaml, section by section, into the settings that lp_core declares.

A stage asks only for the sections that dvc.yaml names for it, so that no other section can shape
its result. Validation of the whole file is `tasks.kit.experiment`'s.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from lp_core.errors import InputError
from tasks.kit.yaml_file import read_yaml

# Pydantic would look for plugins in every installed package: a sixth of a second in each stage.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

PARAMS = Path("params.yaml")

# What this process has asked for, by file, variant and dotted path ("": all of it): the values that
# its result is of, whatever becomes of the file (`tasks.kit.guard`).
READ: dict[tuple[Path, str | None, str], Any] = {}

# What would do, by pydantic's name for a fault; its own words are JSON's.
_MAPPING = "a mapping of `name: value`"
_WANTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list, such as [a, b]",
    "dict_type": _MAPPING,
    "dataclass_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
}

# Of a network, what another one has no use for.
_WITH_THE_NAME = ("arguments", "weights")

_LONGEST = 100  # characters of a value in a message

T = TypeVar("T")


class ParamsError(InputError):
    """A value in the params file is wrong; the message gives its path in the file."""


class Params:
    """A params file as one variant sees it: `variants.<variant>` laid over the rest."""

    def __init__(self, variant: str | None = None, path: Path = PARAMS) -> None:
        """Raises ParamsError if the file is missing, is not YAML, or has no such variant."""
        self.path, self.variant = path, variant
        try:
            self._all: dict[str, Any] = read_yaml(path)
        except InputError as error:
            raise ParamsError(str(error)) from None
        if not isinstance(self._all, dict):
            raise ParamsError(f"{path}: found {type(self._all).__name__}; give `name: value` lines")
        if variant is not None:
            known = self.value("variants")
            if not isinstance(known, dict) or variant not in known:
                names = ", ".join(map(str, known or ()))
                raise ParamsError(f"{path}: variants has no {shown(variant)!r}; it has {names}")
            self._all = overlay(self._all, known[variant])

    @property
    def raw(self) -> dict[str, Any]:
        """The whole file, as YAML has it."""
        READ.setdefault((self.path, self.variant, ""), self._all)
        return self._all

    def section(self, dotted: str, kind: type[T]) -> T:
        """The section at a dotted path, as `kind`. Raises ParamsError for a wrong value."""
        value = self.value(dotted)
        READ.setdefault((self.path, self.variant, dotted), value)
        return check(value, kind, self.path, dotted)

    def value(self, dotted: str) -> Any:
        """What stands at a dotted path ("": all), neither checked nor counted as read.

        Raises ParamsError where nothing does.
        """
        value: Any = self._all
        for key in dotted.split(".") if dotted else []:
            try:
                value = value[key]
            except (KeyError, TypeError):
                raise ParamsError(f"{self.path}: {dotted} is missing") from None
        return value


def overlay(base: dict[str, Any], over: dict[str, Any] | None) -> dict[str, Any]:
    """A copy of `base` with the values of `over` in place of its own, mapping by mapping.

    What goes with a name (a network's arguments and weights) does not go with another one.
    """
    result = dict(base)
    if over and over.get("name", base.get("name")) != base.get("name"):
        result = {key: value for key, value in base.items() if key not in _WITH_THE_NAME}
    for key, value in (over or {}).items():
        below = result.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = overlay(below, value)
        result[key] = value
    return result


def check(value: Any, kind: type[T], path: Path, at: str) -> T:
    """`value` as `kind`, or one ParamsError: a line for each path in the file that has a fault."""
    try:
        # JSON, because only there does pydantic's strict mode build dataclasses from mappings.
        text = json.dumps(value, default=str)
    except (ValueError, TypeError, RecursionError) as error:  # recursive aliases, keys of lists
        where = f"{path}: {at}" if at else str(path)
        raise ParamsError(f"{where}: no plain settings ({error}); write them out") from None
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        faults: dict[tuple[str, ...], list[Any]] = {}
        for fault in error.errors(include_url=False):
            # A value that fits no branch of a union has a fault for each of them.
            faults.setdefault(_keys(fault), []).append(fault)
        lines = [
            f"{path}: {'.'.join([at, *keys] if at else keys)}{_problem(same_path)}"
            for keys, same_path in faults.items()
        ]
        raise ParamsError("\n".join(lines)) from None


def check_recipe(
    settings: Mapping[str, Any], class_of: Callable[[str], type[T]], path: Path, at: str
) -> T:
    """What `recipe` names, with the other settings beside it.

    class_of: the class of a name; InputError for one that there is not. Raises ParamsError.
    """
    if "recipe" not in settings:
        raise ParamsError(f"{path}: {at}.recipe: missing; add it, as in presets/default.yaml")
    others = {key: value for key, value in settings.items() if key != "recipe"}
    try:
        kind = class_of(str(settings["recipe"]))
    except InputError as error:
        raise ParamsError(f"{path}: {at}.recipe: {error}") from None
    return check(others, kind, path, at)


def shown(text: str) -> str:
    """A name, path or value as a message has it: not too long, and nothing that does not print."""
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _problem(faults: Sequence[Any]) -> str:
    """What is wrong at one path, with what joins it to the path."""
    fault = faults[0]
    if fault["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f": unknown key; {_nested(fault['loc'][-1], fault['input'])}"
    if fault["type"] in ("missing", "missing_argument"):
        return ": missing; add it, as in presets/default.yaml"
    if fault["type"] == "value_error":
        # Of the section that the path names; its message begins with the key, as in `lr is 0; …`.
        return f".{fault['ctx']['error']}"
    found = "null" if fault["input"] is None else shown(repr(fault["input"]))
    return f": found {found}; give {' or '.join(_wanted(f) for f in faults)}"


def _wanted(fault: Any) -> str:
    if fault["type"] == "literal_error":
        return str(fault["ctx"]["expected"])
    return _WANTED.get(fault["type"]) or str(fault["msg"].removeprefix("Input should be "))


def _nested(key: str, value: Any) -> str:
    """What would do for a key; one such as `rewind.epochs` reads as if it were right."""
    if "." not in key:
        return "mend its spelling, or remove it"
    text = json.dumps(value)
    for part in reversed(key.split(".")):
        text = f"{{{part}: {text}}}"
    return f"write it nested: {text}"


def _keys(fault: Any) -> tuple[str, ...]:
    # Pydantic also names the branch of a union it tried (`int`, `literal[...]`): not in the file.
    keys = [str(key) for key in fault["loc"]]
    return tuple(k for k in keys if k not in ("int", "float", "str", "none") and "[" not in k)
