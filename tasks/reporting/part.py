"""What the report is made of: a part for each flow, in sections of tables and pictures."""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from matplotlib.figure import Figure

from tasks.reporting import style
from tasks.reporting.no_data import NoData

R = TypeVar("R")


@dataclass(frozen=True)
class Entry(Generic[R]):
    """A figure, or one for each variant.

    caption: which figure of the paper this is, and what the paper reports, in our words; backticks
    enclose parameters. draw: returns figures by file name, which no other entry of any flow has;
    raises NoData if there are no rows to draw.
    """

    heading: str
    caption: str
    draw: Callable[[R], dict[str, Figure]]


@dataclass(frozen=True)
class Chapter(Generic[R]):
    """Figures that answer one question."""

    heading: str
    entries: list[Entry[R]]


@dataclass(frozen=True)
class Picture:
    """An entry, drawn. files: by name. missing: why there are none."""

    heading: str
    caption: str
    files: dict[str, Path]
    missing: str = ""

    def sources(self) -> dict[str, str]:
        """Data addresses by name: the page refers to nothing outside itself."""
        return {
            name: "data:image/svg+xml;base64," + base64.b64encode(path.read_bytes()).decode()
            for name, path in self.files.items()
        }


@dataclass(frozen=True)
class Table:
    """A table of the page.

    title: above it. rows: the first cell names the row. note: below it. words: how many of the
    first columns hold words, not numbers.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""
    words: int = 1


@dataclass(frozen=True)
class Section:
    """Tables, then pictures, below one heading. missing: why there are none."""

    heading: str
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
    missing: str = ""


@dataclass(frozen=True)
class Part:
    """What one flow adds to the page.

    name: of the flow. title: of its method. about: the paper, and what was done, in a sentence.
    setting: networks and data set. headline: sentences that follow from the numbers.
    """

    name: str
    title: str
    about: str
    setting: str
    headline: Sequence[str]
    sections: list[Section] = field(default_factory=list)


def draw_chapters(chapters: Iterable[Chapter[R]], results: R, folder: Path) -> list[Section]:
    """Draw every entry whose rows are there into files below `folder`.

    Several entries of a chapter that have none share a sentence, in place of a heading each.
    """
    return [
        _section(chapter.heading, [_draw(e, results, folder) for e in chapter.entries])
        for chapter in chapters
    ]


def _section(heading: str, pictures: list[Picture]) -> Section:
    lost = [picture for picture in pictures if picture.missing]
    if len(lost) < 2:
        return Section(heading, pictures=pictures)
    by_reason: dict[str, list[str]] = {}
    for picture in lost:
        by_reason.setdefault(picture.missing, []).append(picture.heading)
    missing = "; ".join(f"{', '.join(names)} ({reason})" for reason, names in by_reason.items())
    return Section(heading, pictures=[p for p in pictures if not p.missing], missing=missing)


def _draw(entry: Entry[R], results: R, folder: Path) -> Picture:
    try:
        figures = entry.draw(results)
    except NoData as reason:
        return Picture(entry.heading, entry.caption, {}, str(reason))
    for name, figure in figures.items():
        style.save(figure, folder / name)
    return Picture(entry.heading, entry.caption, {name: folder / f"{name}.svg" for name in figures})
