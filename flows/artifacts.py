"""What a flow run shows in Prefect's UI beside its logs: progress bars, pages, and the results.

An artifact is a convenience: where the API refuses one, the run goes on without it.
"""

from __future__ import annotations

import base64
import logging
import re
from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)

SUMMARY = "results/summary.md"
FIGURES = "results/figures"

_log = logging.getLogger(__name__)


class Bar:
    """A progress bar in the UI, there from when it is first shown."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._artifact: UUID | None = None
        self._refused = False

    @property
    def is_there(self) -> bool:
        """Whether it has been shown."""
        return self._artifact is not None

    def show(self, percent: float, text: str) -> None:
        """Moves the bar, with a text below it."""
        percent = round(min(100.0, max(0.0, percent)), 1)
        try:
            if self._artifact is None:
                artifact = create_progress_artifact(percent, key=slug(self._key), description=text)
                assert isinstance(artifact, UUID)  # not a coroutine: no event loop runs here
                self._artifact = artifact
            else:
                update_progress_artifact(self._artifact, percent, description=text)
        except Exception as error:
            if not self._refused:
                _log.warning("No progress of %s is shown: %s", self._key, error)
            self._refused = True


def show_summary(root: Path, flow: str) -> None:
    """Publishes the table of accuracies by density, where there is one."""
    path = root / SUMMARY
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        publish(text, f"{flow}-accuracy", "Accuracy by density")


def show_figures(root: Path, flow: str) -> None:
    """Publishes the main figures, where there are any."""
    # Inside markdown, because the UI prints the address of an image artifact below the image:
    # here that would be the whole encoded file.
    images = [
        f"![{path.stem}](data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()})"
        for path in sorted((root / FIGURES).glob("accuracy*.svg"))
    ]
    if images:
        publish("\n\n".join(images), f"{flow}-figure", "Accuracy against density")


def publish(markdown: str, key: str, description: str) -> None:
    """Shows a page of Markdown."""
    try:
        create_markdown_artifact(markdown, key=key, description=description)
    except Exception as error:
        _log.warning("The artifact %s is missing: %s", key, error)


def slug(name: str) -> str:
    """`name` in the letters that Prefect allows in an artifact's key."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
