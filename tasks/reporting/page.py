"""The page `report.html`: the template, filled with sentences, tables and pictures."""

import base64
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tasks.reporting.figures.results import Results
from tasks.reporting.headline import sentences
from tasks.reporting.page_tables import (
    accuracy_tables,
    claims_tables,
    machine_table,
    paired_table,
    paper_tables,
    time_table,
)

READS = ("tasks/reporting/report.html.j2",)  # part of this code's fingerprint

_DRAWN_WITH = ("numpy", "pandas", "pyarrow", "matplotlib")


@dataclass(frozen=True)
class Picture:
    """An entry of the catalogue, drawn. files: by name. missing: why there are none."""

    heading: str
    caption: str
    files: dict[str, Path]
    missing: str = ""

    def sources(self) -> dict[str, str]:
        """Data addresses by name: the page refers to nothing outside itself."""
        return {
            name: "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()
            for name, path in self.files.items()
        }


def render(
    results: Results,
    tests: pd.DataFrame,
    chapters: dict[str, list[Picture]],
    unconverged: list[str],
) -> str:
    """The whole page.

    tests: of `tasks.reporting.summary.paired_tests`. chapters: pictures by heading. unconverged: of
    `tasks.reporting.converged.unconverged_sentences`.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment.get_template(Path(READS[0]).name).render(
        title=f"Lottery Pools: {results.models(results.variants)} on {results.dataset}",
        headline=sentences(results, tests, unconverged),
        accuracy=accuracy_tables(results),
        chapters=chapters,
        paired=paired_table(tests),
        paper=[*paper_tables(results), *claims_tables(results)],
        params=results.params.path.read_text(),
        run=results.frames["stages"]["run"].iloc[0],
        machine=machine_table(results),
        time=time_table(results),
        versions=", ".join(f"{name} {version(name)}" for name in _DRAWN_WITH),
    )


def _code(text: str) -> Markup:
    """Markup of a text in which backticks enclose code."""
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(text))))
