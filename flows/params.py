"""Sets parameters in params.yaml before a run, and has them validated.

Overrides stay in params.yaml: a result must be traceable to the file that made it, and the next
`dvc repro` must mean the same experiment. (`git diff params.yaml` shows them.)
"""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lp_core.errors import InputError, MissingInputError

if TYPE_CHECKING:
    from ruamel.yaml import YAML


def set_params(path: Path, overrides: Sequence[str]) -> bool:
    """Writes `overrides` into the YAML file `path` if the outcome is valid; True if it changed.

    `overrides` are what `dvc exp run -S` takes: `imp.fraction=0.1`, `+variants.base.lr=0.1` to add
    a key, `~key` to remove one. A key that does not exist, an override that cannot be parsed and
    parameters that do not validate are an InputError, and leave the file as it was.
    """
    from tasks.kit.experiment import validate

    path = Path(os.path.relpath(path))  # as the user would name it in an error
    if not path.is_file():
        raise MissingInputError(f"{path} does not exist; copy one of presets/ there")
    before = path.read_text(encoding="utf-8")
    after = overridden(before, overrides)
    if after == before:
        validate(path)
        return False

    real = path.resolve()  # a link to a preset stays a link
    with tempfile.TemporaryDirectory(prefix=".params-", dir=real.parent) as folder:
        draft = Path(folder) / path.name
        draft.write_text(after, encoding="utf-8")
        try:
            validate(draft)
        except InputError as error:
            # The draft's path is of no use to anyone; the file it stands for is.
            text = str(error).replace(str(draft), str(path))
            raise InputError(f"{text} (with the overrides {', '.join(overrides)})") from error
        shutil.copymode(real, draft)
        os.replace(draft, real)
    return True


def devices(path: Path) -> int:
    """The devices that one stage may train on: the largest `train.devices`, variants included."""
    from dvc.utils.serialize import load_yaml

    def devices_in(section: Any) -> int:
        try:
            return int(section["train"]["devices"])
        except (KeyError, TypeError, ValueError):  # the stage `params` tells what is wrong
            return 1

    params = load_yaml(path)
    variants = (params.get("variants") or {}).values()
    return max(devices_in(section) for section in [params, *variants])


def overridden(text: str, overrides: Sequence[str]) -> str:
    """The YAML `text` with `overrides` applied; comments, order and layout stay as they are."""
    from dvc.exceptions import DvcException
    from dvc.utils.collections import apply_diff
    from dvc.utils.serialize import parse_yaml

    if not overrides:
        return text
    wanted = _apply(parse_yaml(text, "params.yaml"), overrides)
    yaml = _layout(text)
    document = yaml.load(text)
    apply_diff(wanted, document)  # touches only what differs
    _close_empty(document)
    written = _dump(yaml, document)
    try:
        if parse_yaml(written, "params.yaml") == wanted:
            return written
    except DvcException:
        pass
    raise InputError(
        f"overrides: {', '.join(overrides)} cannot be written into params.yaml as it is laid out; "
        "edit the file itself"
    )


def _apply(params: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """`params` as DVC would write them under these overrides."""
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides, to_hydra_overrides
    from dvc.utils.serialize import dump_yaml, load_yaml
    from hydra.errors import HydraException

    known = list(_dotted(params))
    for override in overrides:
        try:
            (parsed,) = to_hydra_overrides([override])
            key = parsed.key_or_group
        except HydraException:
            key = ""
        if not key:
            raise InputError(
                f"overrides: {override!r} is not of the form key=value, e.g. imp.fraction=0.1"
            )
        if parsed.is_sweep_override():
            raise InputError(
                f"overrides: {override!r} lists several values; a run takes one (a list is [1,2])"
            )
        # Writing the key down would leave the parameter that was meant at its default.
        if key not in known and not parsed.is_add():
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f"near it: {', '.join(near)}; " if near else ""
            raise InputError(
                f"overrides: params.yaml has no key {key!r}; {hint}+{key}=… would add it"
            )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder) / "params.yaml"
        dump_yaml(scratch, params)
        try:
            apply_overrides(scratch, list(overrides))
        except (DvcException, HydraException) as error:
            raise InputError(
                f"overrides: cannot apply {', '.join(overrides)} to params.yaml: "
                f"{error.__cause__ or error}"
            ) from error
        return load_yaml(scratch)


def _dotted(node: Any, prefix: str = "") -> Iterator[str]:
    items: Iterator[tuple[Any, Any]] = iter(())
    if isinstance(node, dict):
        items = iter(node.items())
    elif isinstance(node, list):
        items = iter(enumerate(node))
    for key, value in items:
        yield f"{prefix}{key}"
        yield from _dotted(value, f"{prefix}{key}.")


def _close_empty(node: Any) -> None:
    """Lists and mappings of no lines become `[]` and `{}`, which have to be written."""
    if isinstance(node, dict | list):
        if not node:
            node.fa.set_flow_style()  # type: ignore[union-attr]
            node.ca.items.clear()  # type: ignore[union-attr]
        for value in node.values() if isinstance(node, dict) else node:
            _close_empty(value)


def _layout(text: str) -> YAML:
    """A round-trip YAML whose indentation of lists is the one `text` uses."""
    from tasks.kit.yaml_writing import round_trip

    candidates = []
    for sequence, offset in ((2, 0), (4, 2)):
        yaml = round_trip()
        yaml.preserve_quotes = True
        yaml.Representer = _representer()
        yaml.width = 1_000_000  # never fold a line that its author did not fold
        yaml.indent(mapping=2, sequence=sequence, offset=offset)
        same = difflib.SequenceMatcher(
            None, text.splitlines(), _dump(yaml, yaml.load(text)).splitlines(), autojunk=False
        ).ratio()
        candidates.append((same, yaml))
    return max(candidates, key=lambda candidate: candidate[0])[1]


@cache
def _representer() -> type:
    """Writes `null` for None, where ruamel's own writes nothing at all."""
    from ruamel.yaml import RoundTripRepresenter

    class Representer(RoundTripRepresenter):
        pass

    Representer.add_representer(
        type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    return Representer


def _dump(yaml: YAML, document: Any) -> str:
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
