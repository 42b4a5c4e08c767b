"""Running the stage `report` on made tables, and reading the page that it leaves."""

import re
from argparse import Namespace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from tasks.report import main
from tasks.reporting import style
from tests.tasks.reporting.made import Made

SMALL = Made(tickets=4, corruptions=("gaussian_noise", "fog", "pixelate"))
ALWAYS = {"heatmap", "heatmap-gain", "interpolation", "barriers", "disagreement", "disagreement-kl"}
POOLED = {
    f"{name}-base"
    for name in (
        "accuracy",
        "ablation-candidates",
        "ablation-coefficients",
        "ablation-prune",
        "ensembles",
        "soups",
        "uncertainty",
        "corruptions",
        "masks",
    )
}


class Page(HTMLParser):
    """What a page is made of: addresses, figures by name, text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.figures: dict[str, str] = {}
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.addresses += [str(values[key]) for key in ("src", "href", "srcset") if key in values]
        self.ids.add(str(values.get("id")))
        if tag == "img":
            assert values["alt"]
            self.figures[str(values["id"])] = str(values["src"])

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report(made: Made, root: Path, patch: pytest.MonkeyPatch) -> tuple[Page, dict[str, bytes]]:
    made.write(root)
    return draw(root, patch)


def draw(root: Path, patch: pytest.MonkeyPatch) -> tuple[Page, dict[str, bytes]]:
    """The page, and all that was written by name."""
    patch.chdir(root)
    main(Namespace())
    page = Path("results/report.html")
    files = {f.name: f.read_bytes() for f in sorted(Path("results/figures").iterdir())}
    return Page(page.read_text(encoding="utf-8")), files | {page.name: page.read_bytes()}


def stub_files(patch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The figures of the next report by name; their files are stubs, which saves seconds."""
    figures: dict[str, Figure] = {}

    def save(figure: Figure, path: Path) -> None:
        figures[path.name] = figure
        path.parent.mkdir(exist_ok=True)
        path.with_name(f"{path.name}.svg").write_text("<svg/>")

    patch.setattr(style, "save", save)
    return figures
