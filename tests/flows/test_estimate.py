import pytest

from flows.estimate import Expectation, longest_chain, time_left

# Two chains of three rounds, and a table of both.
GRAPH = {
    "base": (),
    **{
        f"imp@{seed}-{n}": (f"imp@{seed}-{n - 1}",) if n else ("base",)
        for seed in (0, 1)
        for n in (0, 1, 2)
    },
    "table": ("imp@0-2", "imp@1-2"),
}
SECONDS = dict.fromkeys(GRAPH, 60.0) | {"base": 10.0, "table": 5.0}


def test_a_stage_takes_what_its_siblings_take() -> None:
    expected = Expectation({})
    assert expected.seconds("imp@0-1") is None
    expected.note("imp@0-0", 10)
    expected.note("imp@1-0", 20)
    assert expected.seconds("imp@0-1") == 15
    assert expected.seconds("important") is None


def test_what_it_took_last_time_is_scaled_as_its_siblings_are() -> None:
    expected = Expectation({"imp@small-0": 10, "imp@small-1": 10, "imp@large-0": 100, "ood@a": 3})
    assert expected.seconds("imp@large-0") == 100
    assert expected.seconds("ood@b") == 3  # siblings of an earlier run
    assert expected.seconds("imp@new") == 40
    expected.note("imp@small-0", 20)  # twice the epochs
    assert expected.seconds("imp@large-0") == 200
    assert expected.seconds("imp@new") == 20
    assert expected.seconds("ood@a") == 3


@pytest.mark.parametrize(
    ("at_once", "seconds"),
    [(1, 375), (2, 195), (8, 195), (0, 375)],  # 10 + 3 · 60 + 5 at least
)
def test_an_estimate_respects_the_slots_and_the_longest_chain(at_once: int, seconds: int) -> None:
    assert time_left(GRAPH, SECONDS, at_once) == seconds
    assert longest_chain(GRAPH, SECONDS)[0] == "base"
    assert len(longest_chain(GRAPH, SECONDS)) == 5


def test_what_has_passed_of_a_running_stage_counts() -> None:
    todo = {name: up for name, up in GRAPH.items() if name not in ("base", "imp@0-0")}
    running = {"imp@1-0": 45.0}
    # One slot: 15 s of the running one, then four more rounds and the table.
    assert time_left(todo, SECONDS, 1, running) == 15 + 4 * 60 + 5
    assert time_left(todo, SECONDS, 2, running) == 15 + 2 * 60 + 5
    assert time_left(todo, SECONDS, 1, {"imp@1-0": 1e6}) == 4 * 60 + 5


def test_stages_of_which_nothing_is_known_take_no_time() -> None:
    assert time_left(GRAPH, {}, 2) == 0
    assert longest_chain(GRAPH, {}) == []
    assert time_left({}, {}, 2) == 0
