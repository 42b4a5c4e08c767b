"""What the library's callers give to interpolate and superpose is checked first."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lp_core.errors import InputError
from lp_core.pooling import interpolate, interpolation, superpose
from lp_core.tickets import Ticket
from tests.lp_core.strategies import state

_ONES = torch.ones(2, 2)
GOOD = Ticket.from_state_dict({"fc.weight": torch.tensor([[1.0, 2.0], [3.0, 0.0]])})
OTHER = Ticket.from_state_dict({"fc.weight": torch.tensor([[4.0, 0.0], [3.0, 5.0]])})


def _with(weight: torch.Tensor) -> Ticket:
    return replace(GOOD, weights={"fc.weight": weight})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (None, "is a NoneType; make a ticket with Ticket.from_state_dict"),
        (GOOD.state_dict(), "is a dict; make a ticket"),
        (_with(_ONES.to(torch.cfloat)), ": fc.weight is torch.complex64; give torch.float32"),
        (_with(_ONES / 0), ": fc.weight has 4 values that are NaN or infinite"),
        (_with(_ONES * float("nan")), ": fc.weight has 4 values that are NaN"),
        (replace(GOOD, mask={"zz": _ONES.bool()}), ": the mask has zz, which is no weight"),
        (replace(GOOD, mask={"fc.weight": _ONES[0].bool()}), ": the mask of fc.weight is 2, but"),
    ],
)
def test_tickets_that_no_average_can_be_made_of_are_named(wrong, told):
    for call, name in (
        (lambda: interpolate(wrong, GOOD, 0.5, 1), "a"),
        (lambda: interpolate(GOOD, wrong, 0.5, 1), "b"),
        (lambda: superpose([GOOD, wrong], "cia", 1), r"tickets\[1\]"),
    ):
        with pytest.raises(InputError, match=f"^{name} ?{told}") as error:
            call()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", ["x", None, torch.tensor([0.5, 0.2])])
def test_numbers_of_another_kind_are_one_clear_line(wrong):
    number, whole = ("a [^;]*; give a number between 0", "a [^;]*; give a whole number")
    with pytest.raises(InputError, match=f"^alpha is {number}"):
        interpolate(GOOD, OTHER, wrong, 1)
    with pytest.raises(InputError, match=f"^beta is {number}"):
        superpose([GOOD, OTHER], "cima", 1, wrong)
    with pytest.raises(InputError, match=f"^keep is {whole}"):
        interpolate(GOOD, OTHER, 0.5, wrong)
    with pytest.raises(InputError, match=f"^keep is {whole}"):
        superpose([GOOD, OTHER], "cia", wrong)
    with pytest.raises(InputError, match=f"^keep is {whole}"):
        interpolate(GOOD, OTHER, 0.5, 1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("wrong", "told"), [(None, "NoneType"), (GOOD, "Ticket")])
def test_tickets_to_superpose_are_a_list(wrong: Any, told: str):
    with pytest.raises(InputError, match=f"^tickets is a {told}; give a list of tickets"):
        superpose(wrong, "cia", 1)


def test_what_is_checked_is_interpolated_as_in_a_search():
    keep: Any = np.int64(2)
    alphas: list[Any] = [0, 1.0, np.float32(0.5)]
    for alpha in alphas:
        found = interpolate(GOOD, OTHER, alpha, keep)
        assert state(found) == state(interpolation.interpolate(GOOD, OTHER, float(alpha), 2))
