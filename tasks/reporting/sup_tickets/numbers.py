"""This flow's tables on the page."""

import pandas as pd

from tasks.reporting.no_data import NoData
from tasks.reporting.part import Table
from tasks.reporting.style import percent, points
from tasks.reporting.sup_tickets.results import Results
from tasks.reporting.sup_tickets.scores import paired


def method_tables(results: Results) -> list[Table]:
    """Plain against the first ending by method; one table per variant."""
    try:
        plain, first = results.endings.plain, results.endings.first
    except NoData:
        return []
    pairs, tables = paired(results.scores), []
    for variant in results.variants:
        rows = _test(results.scores, variant)
        own = _test(pairs, variant).query("ending == @first")
        lines = []
        for method in results.trained(rows["method"]):
            of_method = rows[rows["method"] == method.name]
            ended = {e: of_method[of_method["ending"] == e] for e in (plain, first)}
            gains = own.loc[own["method"] == method.name, "gain"]
            lines.append(
                [
                    method.label,
                    percent(of_method["density"].mean()),
                    *(_percent(ended[e]["accuracy"]) for e in (plain, first)),
                    _points(gains),
                    f"{(gains.round(9) > 0).sum()} of {len(gains)}",
                    *(
                        " → ".join(_share(ended[e][column]) for e in (plain, first))
                        for column in ("train_fraction", "test_fraction")
                    ),
                ]
            )
        head = ["Method", "Density (%)", "Plain", f"Sup-tickets ({first})", "Gain (points)"]
        head += ["Seeds that gain", "Training FLOPs (%)", "Test FLOPs (%)"]
        tables.append(
            Table(
                f"{results.setting(variant)}: test accuracy in %{_over(results.seeds(variant))}",
                head,
                lines,
                "Gain: paired by seed; both endings start from the same state. FLOPs: plain "
                "→ Sup-tickets, in % of the dense network's over the same steps, or for the same "
                "image.",
            )
        )
    return tables


def ending_tables(results: Results) -> list[Table]:
    """Every ending of every method; one table per variant."""
    pairs, tables = paired(results.scores), []
    measured = ["Accuracy (%)", "Gain (points)", "ECE (points)", "NLL (nats)"]
    for variant in results.variants:
        rows, gained = _test(results.scores, variant), _test(pairs, variant)
        lines = []
        for method in results.trained(rows["method"]):
            for ending in results.endings.settings:
                own = rows[(rows["method"] == method.name) & (rows["ending"] == ending)]
                if own.empty:
                    continue
                of_both = gained[(gained["method"] == method.name) & (gained["ending"] == ending)]
                lines.append(
                    [
                        method.label,
                        ending,
                        results.endings.in_short(ending),
                        _percent(own["accuracy"]),
                        _points(of_both["gain"]),
                        _plain(own["ece"], 100),
                        _plain(own["nll"], 1),
                    ]
                )
        tables.append(
            Table(
                f"{results.setting(variant)}: every ending on test images"
                f"{_over(results.seeds(variant))}",
                ["Method", "Ending", "Cheap tickets", *measured],
                lines,
                words=3,
            )
        )
    return tables


def paper_tables(results: Results) -> list[Table]:
    """The paper's numbers beside ours; none if the paper does not have the setting."""
    try:
        endings = {"Plain": results.endings.plain, "Sup-tickets": results.endings.first}
    except NoData:
        return []
    tables = []
    for variant in results.variants:
        published, rows = results.published(variant), _test(results.scores, variant)
        lines, sources = [], []
        for method in results.trained(rows["method"]):
            printed = [
                published.at(method.recipe, method.density, results.endings.settings[ending])
                for ending in endings.values()
            ]
            if all(row.empty for row in printed):
                continue
            line = [method.label, percent(method.density)]
            for ending, row in zip(endings.values(), printed, strict=True):
                own = rows[(rows["method"] == method.name) & (rows["ending"] == ending)]
                line += [_printed(row), _percent(own["accuracy"])]
                sources += list(row["source"])
            lines.append(line)
        if lines:
            head = [f"{name}: {whose}" for name in endings for whose in ("paper", "ours")]
            tables.append(
                Table(
                    f"{results.setting(variant)}: test accuracy in %, the paper's beside ours",
                    ["Method", "Density (%)", *head],
                    lines,
                    f"Source: {'; '.join(dict.fromkeys(sources))}. Data set, network, method, "
                    "density, epochs and ending are the paper's. The parameters below show whether "
                    "the rest of the training is, too.",
                )
            )
    return tables


def _test(rows: pd.DataFrame, variant: str) -> pd.DataFrame:
    return rows[(rows["variant"] == variant) & (rows["images"] == "test")]


def _over(seeds: int) -> str:
    return f", mean ± standard deviation over {seeds} seeds" if seeds > 1 else ", one seed"


def _percent(values: "pd.Series[float]") -> str:
    return _plain(values, 100)


def _plain(values: "pd.Series[float]", scale: float) -> str:
    mean, std = scale * values.mean(), scale * values.std()
    if mean != mean:
        return "–"
    digits = 2 if scale == 100 else 3
    return f"{mean:.{digits}f}" if std != std else f"{mean:.{digits}f} ± {std:.{digits}f}"


def _points(gains: "pd.Series[float]") -> str:
    if gains.empty:
        return "–"
    mean, std = points(gains.mean()), gains.std()
    return mean if std != std else f"{mean} ± {100 * std:.2f}"


def _share(values: "pd.Series[float]") -> str:
    return f"{100 * values.mean():.1f}" if len(values) else "–"


def _printed(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "–"
    accuracy, std = 100 * rows["accuracy"].iloc[0], 100 * rows["std"].iloc[0]
    return f"{accuracy:.2f}" if std != std else f"{accuracy:.2f} ± {std:.2f}"
