"""What a figure shows, with the types that Matplotlib does not tell."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray


def xs(line: Line2D) -> NDArray[Any]:
    return np.asarray(line.get_xdata())


def ys(line: Line2D) -> NDArray[Any]:
    return np.asarray(line.get_ydata())


def bars(axis: Axes) -> list[Rectangle]:
    """In the order in which they were drawn; nothing but bars has been."""
    found = []
    for patch in axis.patches:
        assert isinstance(patch, Rectangle)
        found.append(patch)
    return found
