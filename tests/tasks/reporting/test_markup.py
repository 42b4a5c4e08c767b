"""What the page says to those who do not see it."""

from html.parser import HTMLParser

import pytest

from tests.tasks.reporting.made import Made
from tests.tasks.reporting.pages import report, stub_files

VOID = {"meta", "link", "img", "br"}


class Tree(HTMLParser):
    """Start tags with their attributes and the tags around them; each that opens must close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs, _ in self.found if name == tag]


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    made = Made(
        tickets=2, seeds=(0,), pooled=("base", "no-rewind"), methods=("interpolation", "average")
    )
    root = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        stub_files(patch)
        report(made, root, patch)
    return Tree((root / "results" / "report.html").read_text())


def test_every_id_is_there_once(tree):
    ids = [attrs["id"] for _, attrs, _ in tree.found if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_every_image_has_a_text_of_its_own_and_is_described_by_its_caption(tree):
    images = tree.all("img")
    captions = {attrs.get("id") for attrs in tree.all("p")}
    assert len({image["alt"] for image in images}) == len(images) > 10
    assert {image["aria-describedby"] for image in images} <= captions
    texts = {image["id"]: image["alt"] for image in images}
    assert texts["heatmap"] == "Averaged pairs"
    assert texts["accuracy-no-rewind"] == "Accuracy against density (accuracy-no-rewind)"


def test_what_scrolls_can_be_reached_and_has_a_name(tree):
    reached = [attrs for _, attrs, _ in tree.found if "tabindex" in attrs]
    scrolling = [attrs for _, attrs, _ in tree.found if attrs.get("class") == "scroll"]
    assert len(scrolling) > 10
    assert len(reached) == len(scrolling) + 1  # the parameters
    for attrs in reached:
        assert attrs["role"] == "region"
        assert attrs["aria-label"]


def test_the_content_is_in_main_and_the_contents_are_not(tree):
    assert len(tree.all("main")) == 1
    for tag, attrs, around in tree.found:
        if tag in ("h2", "h3", "h4", "figure", "table", "pre"):
            assert "main" in around, attrs
        if tag in ("nav", "h1"):
            assert "main" not in around
