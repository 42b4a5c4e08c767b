"""The page `report.html`: the template, filled with the parts of the flows that ran."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tasks.reporting.machine import machine_table, time_table
from tasks.reporting.part import Part

READS = ("tasks/reporting/report.html.j2",)  # part of this code's fingerprint

_DRAWN_WITH = ("numpy", "pandas", "pyarrow", "matplotlib")


def render(parts: Sequence[Part], stages: pd.DataFrame, params: str) -> str:
    """The whole page. stages: that table. params: the text of the params file."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    titles = " and ".join(part.title for part in parts)
    settings = "; ".join(dict.fromkeys(part.setting for part in parts))
    return environment.get_template(Path(READS[0]).name).render(
        title=f"{titles}: {settings}",
        parts=parts,
        params=params,
        run=stages["run"].iloc[0],
        machine=machine_table(stages),
        time=time_table(stages),
        versions=", ".join(f"{name} {version(name)}" for name in _DRAWN_WITH),
    )


def _code(text: str) -> Markup:
    """Markup of a text in which backticks enclose code."""
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(text))))
