"""Evaluating tickets on an image set that is streamed."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image

from lp_core.data import images as reading
from lp_core.data.loading import EVAL_BATCH, eval_batches
from lp_core.data.store import SPLITS, Dataset, Listing
from lp_core.training.evaluation import predict
from tasks.kit import paths
from tasks.kit.bench import Bench
from tasks.kit.params import Params

COUNT = 20


@pytest.fixture
def bench(root: Path) -> Bench:
    """On images of noise, as files."""
    random = np.random.default_rng(0)
    files = [f"{i}.png" for i in range(COUNT)]
    for file in files:
        Image.fromarray(random.integers(0, 256, (10, 12, 3), dtype=np.uint8)).save(root / file)
    labels = torch.arange(COUNT) % 4
    listing = Listing(root, pyarrow.array(files), labels, sizes=torch.zeros_like(labels))
    parts = dict.fromkeys(SPLITS, listing)
    Dataset("noise", list("abcd"), 3, 8, [0.4] * 3, [0.2] * 3, parts).save(paths.dataset("noise"))
    return Bench(Params("base"))


def test_an_image_is_decoded_once_however_many_tickets_are_evaluated(bench, monkeypatch):
    decoded: Counter[str] = Counter()
    decode = reading.open_picture

    def counting(picture: reading.Picture) -> Image.Image:
        decoded[picture.where] += 1
        return decode(picture)

    monkeypatch.setattr(reading, "open_picture", counting)
    for number in (0, 1, 0):
        bench.predict(bench.load(paths.ticket("base", 0, number)), "test")
    assert len(decoded) == COUNT
    assert set(decoded.values()) == {1}


def test_images_that_are_kept_give_the_predictions_of_those_that_are_streamed(bench):
    ticket = bench.load(paths.ticket("base", 0, 1))
    twice = [bench.predict(ticket, "val") for _ in range(2)]
    batches = eval_batches(bench.dataset, "val", EVAL_BATCH, "cpu")
    expected = predict(bench.model, batches, bench.compute)
    for logits, labels in twice:
        assert torch.equal(logits, expected[0])
        assert torch.equal(labels, expected[1])
