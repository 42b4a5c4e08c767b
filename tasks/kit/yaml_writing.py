"""YAML that is written so that every parser reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ruamel.yaml import YAML


def round_trip() -> YAML:
    """A round-trip YAML that quotes a text with a colon where it stands in brackets.

    YAML 1.2 takes `{name: own.nets:Net}`, and ruamel's writer leaves it like that; but libyaml, by
    which DVC and `tasks.kit.yaml_file` read, does not.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.emitter import Emitter

    class Quoting(Emitter):
        def choose_scalar_style(self) -> str:
            style: str = super().choose_scalar_style()
            colon = ":" in getattr(self.event, "value", "")
            return '"' if not style and colon and self.flow_level else style

    yaml = YAML()
    yaml.Emitter = Quoting
    return yaml
