from pathlib import Path

import pytest

from tests.tasks.tiny import make_tickets


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: three tiny tickets of variant base, seed 0."""
    make_tickets(tmp_path, monkeypatch, {})
    return tmp_path
