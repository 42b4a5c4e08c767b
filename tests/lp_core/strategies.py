"""Tiny random tickets, and what several tests ask of tickets."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from lp_core.tickets import Ticket

SHAPES = {"conv1.weight": (2, 3, 3, 3), "bias": (3,), "conv2.weight": (4, 2, 1, 1), "fc": (3, 4)}
PRUNABLE = ("conv1.weight", "conv2.weight", "fc")

_DIFFICULT = [0.0, -0.0, 1.0, -1.0, 1e-45, 3e38, float("inf"), float("-inf"), float("nan")]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def values(draw: st.DrawFn, shape: tuple[int, ...], grid: bool = False) -> Tensor:
    """A float32 tensor. grid: of eighths between −4 and 4, so that ties are many and the sums and
    products of a short search are exact. Otherwise normal numbers, sometimes with difficult ones
    among them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if grid:
        return torch.tensor(random.integers(-32, 33, shape) / 8, dtype=torch.float32)
    array = random.standard_normal(shape)
    share = draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    array = np.where(random.random(shape) < share, random.choice(_DIFFICULT, shape), array)
    return torch.tensor(array, dtype=torch.float32)


@st.composite
def tickets(
    draw: st.DrawFn, grid: bool = False, finite: bool = False, number: int | None = None
) -> Ticket:
    """A ticket of the architecture SHAPES at any density above 0, the dense one included."""
    weights = {name: draw(values(shape, grid)) for name, shape in SHAPES.items()}
    if finite:
        weights = {
            n: w.nan_to_num(nan=0.5, posinf=2.0, neginf=-2.0).clamp(-9, 9)
            for n, w in weights.items()
        }
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.05, 0.3, 0.7, 1.0]))
    order = PRUNABLE if grid else draw(st.permutations(PRUNABLE))
    mask = {name: torch.tensor(random.random(SHAPES[name]) < density) for name in order}
    mask["fc"][0, 0] = True
    for name, kept in mask.items():
        weights[name] = weights[name].where(kept, 0.0)
    buffers = {
        "bn.running_mean": draw(values((3,), grid=grid or finite)),
        "bn.num_batches_tracked": torch.tensor(draw(st.integers(0, 2**40))),
    }
    meta = {} if number is None else {"ticket": number}
    return Ticket(weights, mask, buffers, meta)


def families(most: int = 4) -> st.SearchStrategy[list[Ticket]]:
    """A target and up to `most` siblings, exact in float32 through a search of their length."""
    return st.integers(1, most + 1).flatmap(
        lambda count: st.tuples(*(tickets(grid=True, number=i) for i in range(count))).map(list)
    )


def bits(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Names in order, types, shapes and bytes: equal for tensors that are equal bit by bit."""
    return {
        n: (t.dtype, tuple(t.shape), t.detach().contiguous().numpy().tobytes())
        for n, t in tensors.items()
    }


def state(ticket: Ticket) -> tuple[Any, ...]:
    """Everything there is in a ticket, comparable bit by bit, the order of its parts included."""
    parts = (ticket.weights, ticket.mask, ticket.buffers)
    return (*(list(bits(part).items()) for part in parts), repr(ticket.meta))


def nonzero(ticket: Ticket) -> int:
    """Prunable weights that are not zero."""
    return sum(int(ticket.weights[name].count_nonzero()) for name in ticket.mask)
