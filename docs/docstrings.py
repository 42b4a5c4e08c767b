"""Docstrings as the reference shows them: `name: what it is` becomes an item of a list.

The docstrings of this project are prose in which arguments and attributes have lines of their own.
mkdocstrings asks for this module as an extension of griffe.
"""

import re
from typing import Any

import griffe

_ITEM = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*): +(\S.*)")


class Items(griffe.Extension):
    """Rewrites the docstring of everything that is loaded."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Of a function, a class or a module; what it names decides what is an item."""
        if obj.docstring:
            obj.docstring.value = listed(obj.docstring.value, _names(obj))


def listed(text: str, names: set[str]) -> str:
    """The text with its lines that begin with one of `names` and a colon as a Markdown list."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_listed(paragraph.splitlines(), names) for paragraph in paragraphs)


def _listed(lines: list[str], names: set[str]) -> str:
    shown: list[str] = []
    inside = False
    for line in lines:
        item = _ITEM.match(line)
        if item and names.issuperset(re.findall(r"\w+", item[1])):
            shown += (
                ["", f"- `{item[1]}`: {item[2]}"] if not inside else [f"- `{item[1]}`: {item[2]}"]
            )
            inside = True
        elif inside and (line.startswith(" ") or not shown[-1].endswith(".")):  # goes on
            shown[-1] += f" {line.strip()}"
        else:
            shown += ["", line] if inside else [line]
            inside = False
    return "\n".join(shown).strip()


def _names(obj: griffe.Object) -> set[str]:
    """What the docstring may explain: parameters, attributes."""
    names = set(obj.members)
    for function in (obj, obj.members.get("__init__")):
        if isinstance(function, griffe.Function):
            names |= {parameter.name.lstrip("*") for parameter in function.parameters}
    return names
