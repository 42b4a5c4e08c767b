"""Write the variants that `products` make into a params file, where DVC needs them.

What is missing is added, line by line: to `variants`, and to `grid` the names that are new there.
Everything else stays as it is, and nothing is ever taken away. So a grid that was narrowed by hand
stays narrow, and a second time changes nothing.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

from tasks.kit import products
from tasks.kit.params import ParamsError, check
from tasks.kit.yaml_writing import round_trip

_WIDTH = 100  # columns that a list on one line may take


def expanded(text: str, path: Path) -> tuple[str, list[str]]:
    """A params file with the variants that its products make, and the names of those added.

    text: valid YAML, as `tasks.kit.yaml_file` reads it. path: for messages.
    Raises ParamsError, a line for each fault of a product.
    """
    values = YAML(typ="safe").load(text)
    for key in ("grid", "products", "variants"):
        if not isinstance(values, dict) or key not in values:
            raise ParamsError(f"{path}: {key}: missing; add it, as in presets/default.yaml")
    wanted = check(values["products"], list[dict[str, dict[str, Any]]], path, "products")
    grid = check(values["grid"] or [], list[str], path, "grid")
    present = check(values["variants"] or {}, dict[str, dict[str, Any] | None], path, "variants")
    faults = products.own_faults(wanted)
    faults = faults or products.unwritten(wanted, dict(products.made(wanted)) | present)
    if faults:
        raise ParamsError("\n".join(f"{path}: {fault}" for fault in faults))
    new = {name: over for name, over in products.made(wanted) if name not in present}
    written = {name: _name(name) for name in new}
    names = [written[name] for name in new if name not in grid]
    lines = [f"{written[name]}: {_flow(over)}" for name, over in new.items()]
    text = _grown(text, "variants", lines)
    return _grown(text, "grid", names), list(new)


def _name(name: str) -> str:
    """A name as YAML: in quotes where it would be a number, a date or so without them."""
    return name if YAML().compose(name).tag == "tag:yaml.org,2002:str" else f'"{name}"'


def _flow(value: Any) -> str:
    """A value as YAML on one line."""
    written = round_trip()
    written.default_flow_style = True
    written.width = 2**31
    stream = io.StringIO()
    written.dump(value, stream)
    return stream.getvalue().strip()


@dataclass(frozen=True)
class _Collection:
    """The list or mapping under a key at the top of a file: where it stands, and its entries.

    start, stop: of its text; an anchor before it belongs to what stands before `start`.
    flow: in brackets, or empty. bracketed: the whole file is in brackets. bullet: what begins the
    line of an entry.
    """

    start: int
    stop: int
    entries: list[tuple[int, int]]
    flow: bool
    bracketed: bool
    bullet: str


def _grown(text: str, key: str, new: list[str]) -> str:
    """The file with entries added to the list or mapping under `key`."""
    if not new:
        return text
    newline = "\r\n" if "\r\n" in text else "\n"
    there = _collection(text, key)
    if not there.flow:
        return _with_lines(text, there, new, newline)
    old = [text[start:stop] for start, stop in there.entries]
    inside = text[there.start : there.stop]
    if there.bracketed or "\n" in inside:
        return _in_brackets(text, there, new, newline)
    line_end = _end_of_line(text, there.stop)
    line_start = text.rfind("\n", 0, there.start) + 1
    if there.bullet:
        on_one_line = f"[{', '.join([*old, *new])}]"
        longer = len(on_one_line) - len(inside)
        if line_end - line_start + longer <= _WIDTH:
            return text[: there.start] + on_one_line + text[there.stop :]
    before, after = text[: there.start].rstrip(" "), text[there.stop : line_end]
    if after.strip():  # a comment stays in its column
        column = there.stop - line_start + len(after) - len(after.lstrip())
        after = " " * max(2, column - (len(before) - line_start)) + after.lstrip()
    lines = "".join(f"{newline}  {there.bullet}{entry}" for entry in [*old, *new])
    return before + after.rstrip() + lines + text[line_end:]


def _with_lines(text: str, there: _Collection, new: list[str], newline: str) -> str:
    """Entries on lines of their own, below the last one of a block."""
    line_start = text.rfind("\n", 0, there.entries[0][0]) + 1
    indent = text[line_start : there.entries[0][0]]
    end = _end_of_line(text, len(text[: there.stop].rstrip()))
    last = text.rfind("\n", 0, end) + 1
    while not text[last:end].strip() or text[last:end].lstrip().startswith("#"):
        end = last - 1 - (text[last - 2 : last - 1] == "\r")
        last = text.rfind("\n", 0, end) + 1
    return text[:end] + "".join(f"{newline}{indent}{entry}" for entry in new) + text[end:]


def _in_brackets(text: str, there: _Collection, new: list[str], newline: str) -> str:
    """Entries on lines of their own, in brackets that take several lines already."""
    last = there.entries[-1][1] if there.entries else there.start + 1
    tail = text[last : there.stop - 1]
    plain = "".join(line.partition("#")[0] for line in tail.splitlines())
    comma = "," if there.entries and "," not in plain else ""
    lines = f",{newline}  ".join(new)
    kept = tail.rstrip(" ")
    kept += "" if kept.endswith("\n") else newline
    return f"{text[:last]}{comma}{kept}  {lines}{newline}{text[there.stop - 1 :]}"


def _collection(text: str, key: str) -> _Collection:
    root = YAML().compose(text)
    node = next(value for name, value in root.value if name.value == key)
    bullet = "" if key == "variants" else "- "
    start, stop = node.start_mark.index, node.end_mark.index
    if not isinstance(node, CollectionNode):  # nothing after the key
        return _Collection(start, stop, [], True, root.flow_style, bullet)
    if node.flow_style:
        start = text.index("{" if isinstance(node, MappingNode) else "[", start)
    return _Collection(start, stop, _entries(node), node.flow_style, root.flow_style, bullet)


def _entries(node: Node) -> list[tuple[int, int]]:
    if isinstance(node, SequenceNode):
        return [(item.start_mark.index, item.end_mark.index) for item in node.value]
    return [(name.start_mark.index, value.end_mark.index) for name, value in node.value]


def _end_of_line(text: str, index: int) -> int:
    end = text.find("\n", index)
    end = len(text) if end < 0 else end
    return end - (text[end - 1 : end] == "\r")
