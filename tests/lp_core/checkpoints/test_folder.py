"""Which files of a folder a pattern means, and what their names say."""

import re
from pathlib import Path

import pytest

from lp_core.checkpoints import ImportSpec, find
from lp_core.errors import InputError

LAYOUT = (
    *(
        f"replicate_{s}/level_{t}/main/model_ep{e}_it0.pth"
        for s in (1, 2)
        for t in (0, 1, 12)
        for e in (0, 160)
    ),
    *("replicate_1/level_0/main/mask.pth", "notes.txt", "seed07/ticket03.pt"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in LAYOUT:
        path = tmp_path / "runs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "runs"


def matches(folder: Path, pattern: str) -> list[tuple[str, int | None, int | None]]:
    return [
        (found.path.relative_to(folder).as_posix(), found.seed, found.ticket)
        for found in find(folder, pattern)
    ]


def test_the_numbers_in_names_say_whose_a_file_is(folder):
    pattern = "replicate_{seed}/level_{ticket}/main/model_ep160_it0.pth"
    assert {(s, t) for _, s, t in matches(folder, pattern)} == {
        (s, t) for s in (1, 2) for t in (0, 1, 12)
    }
    assert matches(folder, "seed{seed}/ticket{ticket}.pt") == [("seed07/ticket03.pt", 7, 3)]


@pytest.mark.parametrize(
    "pattern", ["*/level_0/*/mask.pth", "**/mask.pth", "**/mask.p?h", "replicate_[!2]/**/mask.*"]
)
def test_patterns_are_a_shells(folder, pattern):
    assert matches(folder, pattern) == [("replicate_1/level_0/main/mask.pth", None, None)]


def test_a_star_leaves_a_number_all_its_digits(folder):
    assert {t for _, _, t in matches(folder, "replicate_1/*{ticket}/main/*160_it0.pth")} == {
        0,
        1,
        12,
    }


def test_a_number_that_stands_twice_must_be_the_same(tmp_path):
    for name in ("s1-s1.pt", "s1-s2.pt"):
        (tmp_path / name).touch()
    assert [name for name, _, _ in matches(tmp_path, "s{seed}-s{seed}.pt")] == ["s1-s1.pt"]


def test_names_are_taken_as_they_are_spelled(tmp_path):
    for name in ("a+b.pt", "aab.pt"):
        (tmp_path / name).touch()
    assert [name for name, _, _ in matches(tmp_path, "a+b.pt")] == ["a+b.pt"]


def test_a_link_to_a_file_counts_and_one_to_a_folder_is_not_followed(folder, tmp_path):
    (folder / "link.pt").symlink_to(folder / "seed07/ticket03.pt")
    assert matches(folder, "link.pt") == [("link.pt", None, None)]
    (tmp_path / "links").mkdir()
    (tmp_path / "links/run").symlink_to(folder)
    with pytest.raises(InputError, match="run is a link to a folder, and those are not looked"):
        find(tmp_path / "links", "**/*.pt")


def test_nothing_found_is_one_line_with_what_is_there(folder, tmp_path):
    with pytest.raises(
        InputError, match=r"no file matches '\*.pth'; others are there, such as .*notes.txt"
    ):
        find(folder, "*.pth")
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        find(tmp_path / "other", "*.pth")


@pytest.mark.parametrize("pattern", ["", "/abs/*.pt", "../*.pt", "a//b.pt", "{round}.pt", "{}.pt"])
def test_a_pattern_that_makes_no_sense_is_refused(pattern):
    with pytest.raises(InputError, match=f"^pattern is {re.escape(repr(pattern))}; "):
        ImportSpec("runs", pattern)
