"""Fixtures that every test may use."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# Programs inherit which signals are ignored, as after `nohup` or a script's `&`. Those that tests
# send signals to must heed them.
if threading.current_thread() is threading.main_thread():
    for _number, _handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(_number) is signal.SIG_IGN:
            signal.signal(_number, _handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder that LP_DATA names, with cifar10/, mnist/ and tiny-imagenet/ in Parquet files."""
    folder = os.environ.get("LP_DATA")
    if not folder:
        pytest.skip("LP_DATA is unset (a folder with cifar10/, mnist/ and tiny-imagenet/)")
    path = Path(folder)
    if not path.is_dir():
        pytest.skip(f"LP_DATA names {folder}, which is not a folder")
    return path.resolve()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch computes on one thread: tiny networks only wait for more of them."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
