"""Rounds are a chain: each ticket is pruned from the one before it."""

import re

import pytest

from lp_core.sparsity.spec import ImpSpec, Round


def _rounds(*parents):
    return [Round(number, parent) for number, parent in enumerate(parents)]


@pytest.mark.parametrize("length", [1, 2, 5])
def test_each_ticket_is_pruned_from_the_one_before_it(length):
    chain = _rounds("rewind", *range(length - 1))
    assert ImpSpec(chain).rounds == chain


@pytest.mark.parametrize(
    ("parents", "message"),
    [
        (("rewind", 0, 0), "rounds.2.parent is 0; {}: ticket 2 is pruned from ticket 1"),
        (("rewind", 0, 2), "rounds.2.parent is 2; {}: ticket 2 is pruned from ticket 1"),
        (("rewind", 1), "rounds.1.parent is 1; {}: ticket 1 is pruned from ticket 0"),
        (("rewind", -1), "rounds.1.parent is -1; {}: ticket 1 is pruned from ticket 0"),
        (("rewind", "rewind"), "rounds.1.parent is rewind; {}: ticket 1 is pruned from ticket 0"),
        ((0,), "rounds.0.parent is 0; {}: ticket 0 starts from rewind"),
        ((-1,), "rounds.0.parent is -1; {}: ticket 0 starts from rewind"),
    ],
)
def test_a_branch_or_a_gap_in_the_chain_is_refused(parents, message):
    expected = message.format("the chain is broken")
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        ImpSpec(_rounds(*parents))
