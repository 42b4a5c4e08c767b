"""Rows of the table `diversity`."""

import math

import pytest
import torch
from torch import nn

from tasks.kit.diversity import diversity_rows


def test_every_ordered_pair_has_its_disagreement_and_its_divergence():
    generator = torch.Generator().manual_seed(0)
    logits = {number: torch.randn(50, 4, generator=generator) for number in (1, 2, 5)}
    rows = {(row["a"], row["b"]): row for row in diversity_rows(logits, kind="cheap")}
    assert list(rows) == [(1, 2), (1, 5), (2, 1), (2, 5), (5, 1), (5, 2)]
    for (a, b), row in rows.items():
        differing = sum(x.argmax() != y.argmax() for x, y in zip(logits[a], logits[b], strict=True))
        assert row["disagreement"] == pytest.approx(int(differing) / 50)
        of_b, of_a = logits[b].double().log_softmax(1), logits[a].double().softmax(1)
        assert row["kl"] == pytest.approx(
            nn.functional.kl_div(of_b, of_a, reduction="batchmean").item()
        )
        assert row["kind"] == "cheap"
        assert row["disagreement"] == rows[b, a]["disagreement"]
        assert row["kl"] != rows[b, a]["kl"]


def test_a_network_that_diverged_is_at_no_known_distance():
    rows = diversity_rows({0: torch.zeros(3, 2), 1: torch.full((3, 2), math.nan)})
    assert [math.isnan(row["disagreement"]) and math.isnan(row["kl"]) for row in rows] == [True] * 2
