"""The page `report.html`: what stands in its tables, and how the template is filled."""

import base64
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tasks.figures.results import Results
from tasks.figures.style import percent, points, styles
from tasks.headline import PLACES, p_value, sentences
from tasks.published import nearest
from tasks.summary import by_density, gains

_DRAWN_WITH = ("numpy", "pandas", "pyarrow", "matplotlib")


@dataclass(frozen=True)
class Table:
    """title: above it. rows: the first cell names the row. note: below it."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """An entry of the catalogue, drawn: files by name, or why there are none."""

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


def render(results: Results, tests: pd.DataFrame, chapters: dict[str, list[Picture]]) -> str:
    """The whole page. tests: of `tasks.summary.paired`. chapters: pictures by heading."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(
        title=f"Lottery Pools: {results.model(results.variants[0])} on {results.dataset}",
        headline=sentences(results, tests),
        accuracy=accuracy_tables(results),
        chapters=chapters,
        paired=paired_table(tests),
        paper=paper_tables(results) or [claims_table(results)],
        params=results.params.path.read_text(),
        machine=machine_table(results),
        time=time_table(results),
        versions=", ".join(f"{name} {version(name)}" for name in _DRAWN_WITH),
    )


def accuracy_tables(results: Results) -> list[Table]:
    """Density by method, mean ± standard deviation in percent; a table a variant and place."""
    rows = by_density(results.frames)
    tables = []
    for variant in results.variants:
        for place, name in PLACES.items():
            here = rows[(rows["variant"] == variant) & (rows["place"] == place)]
            methods = [m for m in ("ticket", *results.main) if m in set(here["method"])]
            if not methods:
                continue
            seeds = results.seeds(variant)
            over = f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ", one seed"
            cells = {
                (r.method, r.ticket): _percent(r.mean, r.std) for r in here.itertuples(index=False)
            }
            tables.append(
                Table(
                    f"{results.setting(variant)}: accuracy on {name} in %{over}",
                    ["Density (%)", *(style.label for style in styles(methods).values())],
                    [
                        [percent(density), *(cells.get((m, ticket), "–") for m in methods)]
                        for ticket, density in results.densities(variant).items()
                    ],
                )
            )
    return tables


def paired_table(tests: pd.DataFrame) -> Table:
    """Pooled against unpooled, pair by pair."""
    return Table(
        "Pooled against unpooled tickets, paired by seed and density",
        ["Variant", "Method", "Images", "Pairs", "Mean gain (points)", "p"],
        [
            [
                str(row.variant),
                str(row.method),
                str(row.place),
                str(int(row.pairs)),
                points(float(row.gain)),
                p_value(float(row.p)).removeprefix("p ").removeprefix("= "),
            ]
            for row in tests.itertuples(index=False)
        ],
        "Two-sided Wilcoxon signed-rank test. Pairs of one seed share their siblings, so they are "
        "not independent and p is optimistic.",
    )


def paper_tables(results: Results) -> list[Table]:
    """The paper's numbers beside ours, a table a pooled variant; empty if the setting is none of
    the paper's."""
    ours = by_density(results.frames).query("place == 'test'")
    tables = []
    for variant in results.pooled:
        paper = results.paper(variant)
        if paper.empty:
            continue
        here = ours[ours["variant"] == variant]
        methods = [m for m in ("ticket", *results.main) if m in set(paper["method"])]
        labels = [style.label for style in styles(methods).values()]
        head = [f"{label}: {whose}" for label in labels for whose in ("paper", "ours")]
        rows = []
        for ticket, density in results.densities(variant).items():
            line = [percent(density)]
            for method in methods:
                theirs = nearest(paper[paper["method"] == method], density)
                found = here[(here["method"] == method) & (here["ticket"] == ticket)]
                line.append(_first(theirs.rename(columns={"accuracy": "mean"})))
                line.append(_first(found))
            rows.append(line)
        sources = ", ".join(dict.fromkeys(paper["source"]))
        tables.append(
            Table(
                f"{results.setting(variant)}: test accuracy in %, the paper's beside ours",
                ["Density (%)", *head],
                rows,
                f"Source: {sources}. Data set and network are the paper's; whether the training "
                "is, the parameters below say.",
            )
        )
    return tables


def claims_table(results: Results) -> Table:
    """The gains that the paper's text states, beside the same kind of gain here."""
    ours = _own_gains(results)
    rows = [
        [
            str(row.what),
            f"{row.model} on {row.dataset}",
            str(row.ticket_kind),
            PLACES.get(str(row.place), str(row.place)),
            points(row.value / 100),
            ours.get((str(row.place), str(row.ticket_kind)), "–"),
        ]
        for row in results.published.claims.itertuples(index=False)
    ]
    sources = ", ".join(dict.fromkeys(results.published.claims["source"]))
    return Table(
        "The paper's headline gains, in other settings than this one, beside ours",
        ["What", "Paper's setting", "Tickets", "Images", "Paper (points)", "Ours (points)"],
        rows,
        "The paper's numbers are of other networks, data sets and training, so only their order "
        "of size can be compared. Ours: gain of the first method of `ood`, mean over seeds; of "
        f"the dense network, or the highest of all sparse ones. Sources: {sources}.",
    )


def machine_table(results: Results) -> Table:
    """What the stages ran on."""
    columns = ["device", "threads", "python", "torch"]
    distinct = results.frames["stages"][columns].drop_duplicates().sort_values(columns)
    rows = [[str(cell) for cell in row] for row in distinct.itertuples(index=False)]
    return Table("What the stages ran on", ["Device", "Threads", "Python", "PyTorch"], rows)


def time_table(results: Results) -> Table:
    """Seconds of all stages of a kind, added up."""
    by_stage = results.frames["stages"].groupby("stage", sort=False)["seconds"]
    rows = [[str(stage), str(len(part)), _clock(part.sum())] for stage, part in by_stage]
    rows.append(["all", *_total(results.frames["stages"]["seconds"])])
    return Table(
        "Wall time of the stages, added up (stages may have run side by side)",
        ["Stage", "Runs", "Hours:minutes:seconds"],
        rows,
    )


def _own_gains(results: Results) -> dict[tuple[str, str], str]:
    if not results.pooled or not results.main:
        return {}
    found = gains(results.frames)
    here = (found["variant"] == results.pooled[0]) & (found["method"] == results.main[0])
    means = found[here].groupby(["place", "ticket"])["gain"].mean().dropna().reset_index()
    kinds = {"dense": means[means["ticket"] == 0], "sparse": means[means["ticket"] != 0]}
    return {
        (str(place), kind): points(float(rows["gain"].max()))
        for kind, of in kinds.items()
        for place, rows in of.groupby("place")
    }


def _first(rows: pd.DataFrame) -> str:
    return _percent(rows["mean"].iloc[0], rows["std"].iloc[0]) if len(rows) else "–"


def _percent(mean: float, std: float) -> str:
    if mean != mean:
        return "–"
    return f"{100 * mean:.2f}" if std != std else f"{100 * mean:.2f} ± {100 * std:.2f}"


def _total(seconds: "pd.Series[float]") -> list[str]:
    return [str(len(seconds)), _clock(seconds.sum())]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
