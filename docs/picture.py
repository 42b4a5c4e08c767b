"""Draw `docs/cifar10.svg` from the tables in `docs/cifar10.md`: accuracy against density.

Run as `python -m docs.picture` after the tables have changed.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

from tasks.reporting.style import (
    add_legend,
    density_axis,
    draw_lines,
    empty_figure,
    reproducible_files,
    save,
    styles,
)

DOCS = Path(__file__).resolve().parent
SHOWN = ["ticket", "interpolation", "average", "swa"]
PANELS = {"test accuracy": "Test images", "accuracy on corrupted images": "Corrupted images"}
TITLE = "ResNet-8 on CIFAR-10 (JPEG): tickets, and tickets pooled with their siblings"


def read_table(text: str, measured: str) -> pd.DataFrame:
    """A Markdown table of `results/summary.md` as rows: method, density, mean, std (fractions).

    A pooled ticket's mean is the ticket's plus the gain. Its deviation is in no table: NaN.
    """
    after = text.split(f": {measured} of tickets in %", 1)[1]
    lines = re.findall(r"^\|(.*)\|$", after.split("\n\n", 2)[1], re.MULTILINE)
    head, _, *body = ([cell.strip() for cell in line.split("|")] for line in lines)
    rows = []
    for density, ticket, *gains in body:
        if density == "all":
            continue
        mean, std = (float(number) / 100 for number in ticket.split(" ± "))
        at = {"density": float(density.rstrip("%")) / 100}
        rows.append(at | {"method": "ticket", "mean": mean, "std": std})
        for method, gain in zip(head[2:], gains, strict=True):
            pooled = mean + float(gain.split(" ± ")[0]) / 100
            rows.append(at | {"method": method, "mean": pooled, "std": float("nan")})
    return pd.DataFrame(rows)


def main() -> None:
    """Write the picture."""
    argparse.ArgumentParser(prog="python -m docs.picture", description=__doc__).parse_args()
    text = (DOCS / "cifar10.md").read_text()
    seeds = re.findall(r"over (\d+) seeds", text)[0]
    note = f"means over {seeds} seeds; bars: ± 1 standard deviation of the unpooled tickets"
    with reproducible_files():
        figure = empty_figure(4.2, TITLE, note)
        axes = figure.subplots(1, 2)
        for axis, (measured, name) in zip(axes, PANELS.items(), strict=True):
            rows = read_table(text, measured)
            draw_lines(axis, rows, styles(SHOWN), "method")
            density_axis(axis, list(rows["density"]))
            axis.set_ylabel("Accuracy (%)")
            axis.set_title(name, fontsize=10)
        add_legend(figure, axes[0])
        save(figure, DOCS / "cifar10")


if __name__ == "__main__":
    main()
