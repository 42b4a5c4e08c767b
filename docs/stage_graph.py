"""Draw `docs/stages.svg` from dvc.yaml: what each stage builds on.

Run as `python -m docs.stage_graph` after stages have changed. The edges are DVC's own, of an
experiment in which every stage has work; an edge that follows from others is left out.
"""

import argparse
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from html import escape
from pathlib import Path
from typing import Any

import networkx as nx
from ruamel.yaml import YAML

from lp_core.files import atomic_write

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "stages.svg"

# What switches on the stages that the default experiment does without.
_EVERYTHING: dict[str, Any] = {
    "imports": {"imported": {"path": "checkpoints", "pattern": "*"}},
    "pooling.variants": ["base", "imported"],
    "sup_tickets.efficient_ensembles": ["tree-net"],
    "sgd_noise.subsets.variants": ["base"],
    "sgd_noise.transfer": {"tickets": [3], "targets": ["digits"]},
    "sgd_noise.few_shot.selections": ["least-forgotten"],
    "sgd_noise.stable_rewind": {"variants": ["base"], "steps": [{"step": 1, "after": "start"}]},
}
_OF_ALL = ("params", "code")  # every stage builds on them
_DASHED = ("stable_rewind", "pretrain")  # where rewind.mode is stable

_BOX, _GAP = (170, 44), (34, 12)  # width and height of a stage; between layers and between rows
_MOST = 24  # characters below a stage's name
_SAG = 35  # of a line that has to pass below a stage
_BAND = 38  # above the stages of a section, for its title
_STYLE = """
text{font:16px system-ui,sans-serif;fill:#1a202c}
.each{font-size:12px;fill:#4a5568}.band{font-weight:600;fill:#2d3748}
.stage rect{fill:#fff;stroke:#718096}.stage.rows rect{fill:#ebf4ff;stroke:#2b6cb0}
path{fill:none;stroke:#4a5568;stroke-width:1.2}path.far{stroke:#b7c0cc}
path.maybe{stroke-dasharray:4 3}"""


def stages() -> dict[str, dict[str, Any]]:
    """The stages of dvc.yaml by name: section, each (what they are one for), about."""
    text = (ROOT / "dvc.yaml").read_text()
    declared = YAML(typ="safe").load(text)["stages"]
    found: dict[str, dict[str, Any]] = {}
    section = ""
    about: list[str] = []
    for line in text.splitlines():
        if title := re.fullmatch(r"  # (.*?) -{5,}", line):
            section, about = title[1], []
        elif comment := re.fullmatch(r"  # (.*)", line):
            about.append(comment[1])
        elif name := re.fullmatch(r"  (\w+):", line):
            stage = declared[name[1]]
            each = list(stage.get("matrix", ()))
            if "foreach" in stage:
                each = ["variant" if stage["foreach"] == "${imports}" else "data set"]
            found[name[1]] = {"section": section, "each": each, "about": " ".join(about)}
            about = []
        elif not line.strip():
            about = []
    return found


def edges() -> nx.DiGraph:
    """From each stage to those that build on it, as DVC has it."""
    from dvc.repo import Repo

    values = YAML(typ="safe").load((ROOT / "presets" / "default.yaml").read_text())
    for dotted, value in _EVERYTHING.items():
        *above, key = dotted.split(".")
        section = values
        for name in above:
            section = section[name]
        section[key] = value
    graph = nx.DiGraph()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shutil.copy(ROOT / "dvc.yaml", folder)
        with Path("params.yaml").open("w") as file:
            YAML(typ="safe").dump(values, file)
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        Repo.init(no_scm=True).close()
        with Repo(folder) as repo:
            for stage, upstream in repo.index.graph.edges:
                names = [each.name.partition("@")[0] for each in (upstream, stage)]
                if names[0] != names[1]:
                    graph.add_edge(*names)
    return graph


def needed(graph: nx.DiGraph) -> nx.DiGraph:
    """The same without what all build on, and without edges that follow from others."""
    rest = graph.subgraph([name for name in graph if name not in _OF_ALL])
    return nx.transitive_reduction(rest)


def places(graph: nx.DiGraph, sections: dict[str, list[str]]) -> dict[str, tuple[int, int]]:
    """Left and top of each stage: layers from left to right, a band for each section."""
    generations = nx.topological_generations(graph)
    layer = {name: depth for depth, names in enumerate(generations) for name in names}
    for name in ("tables", "report"):  # below the others, to which they have no lines
        layer[name] -= 2
    found: dict[str, tuple[int, int]] = {}
    top = 0
    for names in sections.values():
        rows: dict[int, int] = {}
        top += _BAND
        for name in sorted(names, key=lambda name: (layer[name], _height(graph, found, name))):
            row = rows.setdefault(layer[name], 0)
            rows[layer[name]] += 1
            left = layer[name] * (_BOX[0] + _GAP[0])
            found[name] = (left, top + row * (_BOX[1] + _GAP[1]))
        top += max(rows.values()) * (_BOX[1] + _GAP[1])
    return found


def _height(graph: nx.DiGraph, found: dict[str, tuple[int, int]], name: str) -> float:
    tops = [found[up][1] for up in graph.predecessors(name) if up in found]
    return sum(tops) / len(tops) if tops else 0.0


def svg() -> str:
    """The picture."""
    known, graph = stages(), edges()
    graph, rows = needed(graph), set(graph.predecessors("tables"))
    sections: dict[str, list[str]] = {}
    for name, stage in known.items():
        if name in graph:
            sections.setdefault(stage["section"], []).append(name)
    found = places(graph, sections)
    drawn = [*_bands(sections, found), *_edges(graph, known, found)]
    drawn += [_stage(name, known[name], at, name in rows) for name, at in found.items()]
    width = max(left for left, _ in found.values()) + _BOX[0]
    height = max(top for _, top in found.values()) + _BOX[1]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-8 0 {width + 16} {height + 12}">'
        f'<style>{_STYLE}</style><rect x="-8" width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def _bands(sections: dict[str, list[str]], found: dict[str, tuple[int, int]]) -> Iterator[str]:
    for title, names in sections.items():
        top = min(found[name][1] for name in names) - 12
        yield f'<text class="band" x="0" y="{top}">{escape(title)}</text>'


def _edges(
    graph: nx.DiGraph, known: dict[str, dict[str, Any]], found: dict[str, tuple[int, int]]
) -> Iterator[str]:
    for start, end in [*sorted(graph.edges), _DASHED]:
        if end == "tables":  # which every stage with rows leads to; their colour says so
            continue
        same = known[start]["section"] == known[end]["section"]
        kind = "maybe" if (start, end) == _DASHED else "near" if same else "far"
        (left, top), (right, below) = found[start], found[end]
        x, y = left + _BOX[0], top + _BOX[1] // 2
        to_y, bend = below + _BOX[1] // 2, _GAP[0]
        sag = _SAG if right - left > 2 * _BOX[0] else 0
        curve = f"{x + bend} {y + sag} {right - bend} {to_y + sag} {right} {to_y}"
        yield f'<path class="{kind}" d="M{x} {y}C{curve}"/>'


def _stage(name: str, stage: dict[str, Any], at: tuple[int, int], rows: bool) -> str:
    left, top = at
    of, each = stage["each"], " × ".join(stage["each"])
    while len(each) > _MOST:
        of = of[1:]
        each = " × ".join(["…", *of])
    middle = left + _BOX[0] // 2
    return (
        f'<g class="stage{" rows" * rows}"><title>{escape(stage["about"])}</title>'
        f'<rect x="{left}" y="{top}" width="{_BOX[0]}" height="{_BOX[1]}" rx="5"/>'
        f'<text x="{middle}" y="{top + (19 if each else 28)}" text-anchor="middle">{name}</text>'
        f'<text class="each" x="{middle}" y="{top + 36}" text-anchor="middle">{escape(each)}</text>'
        "</g>"
    )


def main() -> None:
    """Draw it."""
    argparse.ArgumentParser(prog="python -m docs.stage_graph", description=__doc__).parse_args()
    with atomic_write(PICTURE) as temporary:
        temporary.write_text(svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
