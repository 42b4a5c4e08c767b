"""What a flow run shows in Prefect's UI beside its logs: progress of long stages, and the results.

An artifact is a convenience: where the API refuses one, the run goes on without it.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)

SUMMARY = "results/summary.md"
FIGURES = "results/figures"
LONG_SECONDS = 5.0  # a stage that is done sooner needs no progress bar
EVERY_SECONDS = 5.0

_log = logging.getLogger(__name__)
_EPOCH = re.compile(r"\bepoch (\d+)\s*/\s*(\d+)", re.IGNORECASE)


class EpochProgress:
    """The progress artifact of one stage, fed with the lines that the stage prints."""

    def __init__(self, stage: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stage = stage
        self._clock = clock
        self._due = clock() + LONG_SECONDS
        self._artifact: UUID | None = None
        self._shown = self._last = (0, 0)

    def see(self, line: str) -> None:
        """Takes a line of output; one that holds `epoch 4/40` moves the bar, now and then."""
        match = _EPOCH.search(line)
        if match is None or int(match[2]) == 0:
            return
        self._last = (int(match[1]), int(match[2]))
        if self._clock() >= self._due:
            self._show()

    def finish(self) -> None:
        """Brings a bar that was shown to the last epoch that was seen."""
        if self._artifact is not None and self._shown != self._last:
            self._show()

    def _show(self) -> None:
        epoch, epochs = self._last
        percent = min(100.0, 100 * epoch / epochs)
        text = f"{self._stage}: epoch {epoch} of {epochs}"
        try:
            if self._artifact is None:
                artifact = create_progress_artifact(
                    percent, key=slug(self._stage), description=text
                )
                assert isinstance(artifact, UUID)  # not a coroutine: no event loop runs here
                self._artifact = artifact
            else:
                update_progress_artifact(self._artifact, percent, description=text)
        except Exception as error:
            _log.warning("No progress of %s is shown: %s", self._stage, error)
        self._shown = self._last
        self._due = self._clock() + EVERY_SECONDS


def show_summary(root: Path, flow: str) -> None:
    """Publishes the table of accuracies by density, where there is one."""
    path = root / SUMMARY
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        _publish(text, f"{flow}-accuracy", "Accuracy by density")


def show_figures(root: Path, flow: str) -> None:
    """Publishes the main figures, where there are any."""
    # Inside markdown, because the UI prints the address of an image artifact below the image:
    # here that would be the whole encoded file.
    images = [
        f"![{path.stem}](data:image/svg+xml;base64,{base64.b64encode(path.read_bytes()).decode()})"
        for path in sorted((root / FIGURES).glob("accuracy*.svg"))
    ]
    if images:
        _publish("\n\n".join(images), f"{flow}-figure", "Accuracy against density")


def _publish(markdown: str, key: str, description: str) -> None:
    try:
        create_markdown_artifact(markdown, key=key, description=description)
    except Exception as error:
        _log.warning("The artifact %s is missing: %s", key, error)


def slug(name: str) -> str:
    """`name` in the letters that Prefect allows in an artifact's key."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
