"""A count of the weights in memory."""

import gc
from collections.abc import Callable, Iterator

import pytest
import torch

from tests.lp_core.pooling.made_up import SHAPE


@pytest.fixture
def weights_alive() -> Iterator[Callable[[], int]]:
    """How many convolution weights of such tickets there are, made since the test began."""

    def count() -> int:
        things = (thing for thing in gc.get_objects() if type(thing) is torch.Tensor)
        return sum(thing.shape == SHAPE and thing.is_floating_point() for thing in things)

    gc.collect()
    gc.freeze()
    yield count
    gc.unfreeze()
