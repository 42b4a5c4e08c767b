import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import psutil
import pytest
import zc.lockfile
from hypothesis import given
from hypothesis import strategies as st

from flows.graph import find_root, read_graph
from flows.targets import select
from tests.flows.toy import STAGES, Toy


def stale(toy: Toy) -> set[str]:
    return {name for name, stage in read_graph(toy.root).stages.items() if stage.stale}


def test_stages_come_after_everything_they_build_on(toy: Toy) -> None:
    stages = read_graph(toy.root).stages
    assert set(stages) == STAGES
    assert all(stage.stale for stage in stages.values())
    assert stages["imp@1-round0"].upstream == ("base",)
    assert set(stages["table"].upstream) == {"imp@0-round1", "imp@1-round1"}
    seen: set[str] = set()
    for name, stage in stages.items():
        assert set(stage.upstream) <= seen
        seen.add(name)


def test_order_follows_dvc_yaml_where_the_graph_leaves_a_choice(toy: Toy) -> None:
    imps = [name for name in read_graph(toy.root).stages if name.startswith("imp")]
    assert imps == ["imp@0-round0", "imp@0-round1", "imp@1-round0", "imp@1-round1"]


def test_a_selection_includes_everything_upstream_of_it(toy: Toy) -> None:
    assert set(read_graph(toy.root, ["imp@1-*"]).stages) == {
        "base",
        "imp@1-round0",
        "imp@1-round1",
    }
    assert set(read_graph(toy.root, ["imp@0-round0", "aside"]).stages) == {
        "base",
        "imp@0-round0",
        "aside",
    }
    assert set(read_graph(toy.root, ["imp"]).stages) == STAGES - {"table", "aside"}


def test_a_target_without_match_is_an_error_that_lists_near_names(toy: Toy) -> None:
    with pytest.raises(ValueError, match=r"targets: 'tabel\*' matches no stage.*near it: table"):
        read_graph(toy.root, ["imp@*", "tabel*"])
    with pytest.raises(
        ValueError, match="no stage of the graph; there are base, imp, table, aside"
    ):
        read_graph(toy.root, ["zzzzzzzz"])


def test_of_a_flows_own_targets_all_but_the_first_may_match_nothing() -> None:
    upstream = {"base": [], "imp@0": ["base"], "tables": ["imp@0"]}
    own = ["imp", "pool", "tables"]
    assert select(upstream, own, switch="grid") == {"base", "imp@0", "tables"}
    with pytest.raises(ValueError, match="'pool' matches no stage"):
        select(upstream, own)
    del upstream["imp@0"]
    with pytest.raises(ValueError, match="grid: the list is empty, which switches this flow off"):
        select(upstream, own, switch="grid")


@given(
    edges=st.sets(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda e: e[0] < e[1])),
    chosen=st.sets(st.integers(0, 8), min_size=1),
)
def test_selection_is_the_ancestors_of_what_was_chosen(
    edges: set[tuple[int, int]], chosen: set[int]
) -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(9))
    graph.add_edges_from(edges)
    upstream = {f"s{n}": [f"s{p}" for p in graph.predecessors(n)] for n in graph}
    expected = chosen.union(*(nx.ancestors(graph, n) for n in chosen))
    assert select(upstream, [f"s{n}" for n in chosen]) == {f"s{n}" for n in expected}


def test_stale_stages_are_those_that_dvc_status_reports(done_toy: Toy) -> None:
    toy = done_toy
    assert stale(toy) == set()

    for name, text in (
        ("params.yaml", toy.read("params.yaml").replace("epochs: 2", "epochs: 3")),
        ("t0-1.txt", "tampered"),
        ("dvc.yaml", toy.read("dvc.yaml").replace("echo aside >> ran.log", "true")),
        ("source.txt", "other\n"),
    ):
        toy.write(name, text)
        assert stale(toy) == set(json.loads(toy.dvc("status", "--json"))) != set()


def test_reading_waits_while_another_dvc_process_rewrites_the_lock_file(done_toy: Toy) -> None:
    toy = done_toy
    whole = toy.read("dvc.lock")
    lock = zc.lockfile.LockFile(str(toy.root / ".dvc/tmp/lock"))
    toy.write("dvc.lock", whole[: len(whole) // 2])
    found: list[set[str]] = []
    reader = threading.Thread(target=lambda: found.append(stale(toy)))
    reader.start()
    reader.join(1.0)
    assert reader.is_alive()
    toy.write("dvc.lock", whole)
    lock.close()
    reader.join(10)
    assert found == [set()]


def test_a_stage_that_another_process_is_writing_counts_as_stale(done_toy: Toy) -> None:
    toy = done_toy
    holder = {"pid": os.getppid(), "cmd": " ".join(psutil.Process(os.getppid()).cmdline())}
    rwlock = {"write": {str(toy.root / "aside.txt"): holder}, "read": {}}
    toy.write(".dvc/tmp/rwlock", json.dumps(rwlock))
    assert stale(toy) == {"aside"}


def test_a_graph_that_dvc_cannot_read_is_one_error(make_toy: Callable[..., Toy]) -> None:
    toy = make_toy("stages:\n  one:\n    cmd: echo ${nothing.here}\n")
    with pytest.raises(ValueError, match=r"(?s)DVC cannot read the graph.*nothing\.here"):
        read_graph(toy.root)


def test_a_folder_outside_any_project_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="not in a DVC project"):
        find_root()


def test_names_do_not_depend_on_the_working_directory(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.root / "tasks")
    assert find_root() == toy.root
    assert set(read_graph(find_root()).stages) == STAGES


def test_the_producer_of_a_file_is_the_stage_with_that_out(toy: Toy) -> None:
    graph = read_graph(toy.root)
    assert graph.producer("results/summary.md") == "table"
    assert graph.producer("results/figures/accuracy.svg") == "table"
    assert graph.producer("source.txt") is None
