"""A matrix as coloured cells that hold their numbers."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable


def draw_cells(axis: Axes, values: Any, scale: ScalarMappable, form: str, size: float) -> None:
    """Draw a matrix.

    values: rows × columns, drawn from the top; a cell without a finite number stays grey. form: a
    format for the numbers. size: of their letters in points; 0 for no numbers.
    """
    axis.set_facecolor("0.8")
    low, high = scale.get_clim()
    # Cell by cell and not as a picture, which browsers blur.
    axis.pcolormesh(
        np.ma.masked_invalid(values),
        cmap=scale.get_cmap(),
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidth=0.3,
    )
    axis.invert_yaxis()
    if not size:
        return
    for (down, across), value in np.ndenumerate(values):
        if not np.isfinite(value):
            continue
        red, green, blue, _ = scale.to_rgba(value)
        light = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
        text = form.format(value)
        if not text.strip("+-0."):  # a number that rounds to zero has no sign
            text = text.lstrip("+-")
        axis.text(
            across + 0.5,
            down + 0.5,
            text.replace("-", "−"),
            ha="center",
            va="center",
            color="black" if light else "white",
            size=size,
        )
