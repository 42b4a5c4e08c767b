"""Lay a preset over the default parameters, line by line, so that every comment stays.

Blocks merge key by key. A value on one line, a list, and whatever stands in braces replace the
default's value. A line of the preset without a comment takes over the default's comment. Data sets,
recipes, trainings and endings that the preset does not use are left out. The variants that its
products make are written out.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from lp_core.errors import InputError
from presets.products import expanded

PRESETS = Path(__file__).resolve().parent
DEFAULT = "default"

# A value, which may hold quoted text, and the comment after it.
_COMMENTED = re.compile(r"""((?:[^#"']|"[^"]*"|'[^']*')*?)(\s+#.*)""")


@dataclass
class Entry:
    """A key of a YAML block.

    above: the blank lines and comments before it. lines: its own; for a block, only `key:`.
    entries: what a block holds, by key; empty for any other value.
    """

    above: list[str]
    lines: list[str]
    entries: dict[str, "Entry"] = field(default_factory=dict)

    def overlaid(self, over: "Entry") -> "Entry":
        """This entry with the values of `over`."""
        above = over.above if any(line.strip() for line in over.above) else self.above
        lines = [_with_comment(over.lines[0], self.lines[0]), *over.lines[1:]]
        entries = over.entries
        if self.entries and over.entries:
            entries = overlaid(self.entries, over.entries)
        return Entry(above, lines, entries)

    def text(self) -> str:
        """The entry as it stands in a file."""
        own = "".join(f"{line}\n" for line in [*self.above, *self.lines])
        return own + "".join(entry.text() for entry in self.entries.values())


def names() -> list[str]:
    """The presets, the default first."""
    stems = sorted(path.stem for path in PRESETS.glob("*.yaml"))
    return [DEFAULT, *(stem for stem in stems if stem != DEFAULT)]


def title(text: str) -> str:
    """The first line of a params file's opening comment; empty if it has none."""
    first = text.partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def source(name: str) -> str:
    """What a preset changes in the default: the text of its file."""
    return _path(name).read_text()


def whole(name: str) -> str:
    """The params file of a preset, which is named or given by its file, with every key and its
    comment."""
    default = source(DEFAULT)
    if name == DEFAULT:
        return expanded(default, _path(name))[0]
    header, changes = parsed(source(name))
    entries = overlaid(parsed(default)[1], changes)
    values = YAML(typ="safe").load(_text([], entries))

    def value(*keys: str) -> Any:
        found = values
        for key in keys:
            if not isinstance(found, dict) or key not in found:
                raise InputError(
                    f"{name}: leaves no {'.'.join(keys)}; what stands in braces replaces a whole "
                    "block of the default, so write each key on a line of its own"
                )
            found = found[key]
        return found

    if values["dataset"] in values["datasets"]:  # else a fault, which is better told of all
        targets = value("sgd_noise", "transfer", "targets")
        _keep(entries, "datasets", {values["dataset"], *targets})
        _keep(entries, "corrupt", {values["dataset"]})
    _keep(entries["pooling"].entries, "recipes", value("pooling", "methods"))
    for part, users in (
        ("training", ("methods", "ablated")),
        ("ending", ("endings", "ablations")),
    ):
        used = {each for key in users for each in value("sup_tickets", key)}
        _keep(entries["sup_tickets"].entries, part, used)
    return expanded(_text(header, entries), _path(name))[0]


def overlaid(base: dict[str, Entry], over: dict[str, Entry]) -> dict[str, Entry]:
    """The entries of `base` with those of `over` in their place; new keys come last."""
    result = dict(base)
    for key, entry in over.items():
        result[key] = base[key].overlaid(entry) if key in base else entry
    return result


def is_file(name: str) -> bool:
    """Whether a preset is given by its file, which may lie anywhere, and not by its name."""
    return name.endswith(".yaml")


def _path(name: str) -> Path:
    return Path(name) if is_file(name) else PRESETS / f"{name}.yaml"


def _keep(entries: dict[str, Entry], section: str, used: Collection[str]) -> None:
    if section in entries:  # else it stands in the braces of a block around it
        own = entries[section].entries
        entries[section].entries = {key: entry for key, entry in own.items() if key in used}


def _text(header: list[str], entries: dict[str, Entry]) -> str:
    return "".join(f"{line}\n" for line in header) + "".join(e.text() for e in entries.values())


def parsed(text: str) -> tuple[list[str], dict[str, Entry]]:
    """The opening comment of a file, and its entries."""
    lines = text.splitlines()
    opening = next(k for k, line in enumerate(lines) if not line.startswith("#"))
    mapping: Any = YAML().load(text)  # the round-trip reader knows the line of each key
    return lines[:opening], _entries(mapping, lines, opening, len(lines))


def _entries(mapping: CommentedMap, lines: list[str], start: int, stop: int) -> dict[str, Entry]:
    """The keys of a block that takes the lines from `start` up to `stop`."""
    at = {key: mapping.lc.key(key)[0] for key in mapping}
    begins = {key: _above(lines, start, line) for key, line in at.items()}
    ends = [*begins.values(), stop][1:]
    entries = {}
    for (key, line), end in zip(at.items(), ends, strict=True):
        value = mapping[key]
        above = lines[begins[key] : line]
        if isinstance(value, CommentedMap) and value and not value.fa.flow_style():
            entries[key] = Entry(above, [lines[line]], _entries(value, lines, line + 1, end))
        else:
            entries[key] = Entry(above, lines[line:end])
    return entries


def _above(lines: list[str], start: int, line: int) -> int:
    """Where the blank lines and comments above a line begin."""
    while line > start and (not lines[line - 1].strip() or lines[line - 1].lstrip()[0] == "#"):
        line -= 1
    return line


def _with_comment(line: str, default: str) -> str:
    """A line with a comment: its own if it has one, else the default's, in the same column."""
    comment = _COMMENTED.fullmatch(default)
    if _COMMENTED.fullmatch(line) or not comment:
        return line
    before, after = comment.groups()
    column = len(before) + len(after) - len(after.lstrip())
    return f"{line.ljust(column - 2)}  {after.lstrip()}"
