"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


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
