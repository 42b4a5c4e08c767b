"""dvc.lock as the flow has it written, against DVC's own way."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dvc import dvcfile
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.fs import localfs
from dvc.utils.serialize import dump_yaml, load_yaml, modify_yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows import lockfile
from flows.lockfile import modify

USUAL_LOAD = Lockfile._load_yaml


@pytest.fixture(scope="module")
def fast_modify() -> Iterator[Any]:
    """What DVC modifies dvc.lock with, once it is installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dvcfile, "modify_yaml", modify_yaml)
        patch.setattr(Lockfile, "_load_yaml", USUAL_LOAD)
        lockfile.install()
        yield dvcfile.modify_yaml


def load(path: Path, way: Any) -> Any:
    """What DVC loads from the file by one way or the other; None where it objects."""
    lock = Lockfile(SimpleNamespace(fs=localfs, root_dir=str(path.parent)), str(path))
    try:
        data = way(lock)[0]
        return {**data, "stages": dict(data["stages"])}
    except DvcException:
        return None


SCALARS = st.one_of(
    st.integers(),
    st.sampled_from([0.1, 0.0005, 1e-05, 2.5]),  # DVC's parser changes digits of others
    st.booleans(),
    st.none(),
    st.text("ab1 :#-'\"\\n&*~é", max_size=120),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.text("abc.é '", min_size=1, max_size=3)
NAMES = st.from_regex(r"[a-z]{1,4}(@[a-z0-9]{1,3}-round[0-9])?", fullmatch=True)
ODD_NAMES = st.one_of(NAMES, st.sampled_from(["true", "1e3", "a: b", "é", "a" * 130, "? a"]))
FILES = st.lists(
    st.fixed_dictionaries({"path": st.text("a/\n: ", max_size=90), "hash": st.just("md5")}),
    max_size=2,
)
ENTRIES = st.fixed_dictionaries(
    {"cmd": st.text("python -m\n", max_size=90)},
    optional={
        "params": st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=2), max_size=2),
        "deps": FILES,
        "outs": FILES,
    },
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.dictionaries(ODD_NAMES, ENTRIES, min_size=1, max_size=4),
    changes=st.dictionaries(ODD_NAMES, ENTRIES, max_size=2),
    removed=st.booleans(),
)
def test_a_changed_stage_is_written_as_dvc_writes_it(
    fast_modify: Any,
    tmp_path: Path,
    before: dict[str, Any],
    changes: dict[str, Any],
    removed: bool,
) -> None:
    texts = []
    for change in (modify_yaml, fast_modify):
        path = tmp_path / "dvc.lock"
        dump_yaml(path, {"schema": "2.0", "stages": before})
        with change(str(path)) as data:
            if removed and len(before) > 1:
                del data["stages"][next(iter(before))]
            data["stages"].update(changes)
        texts.append(path.read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "schema: '2.0'\n",
        "schema: '2.0'\nstages:\n",
        "schema: '2.0'\nstages:\n    a:\n        cmd: wide\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: one\ndatasets:\n- name: b\n",
        "schema: '2.0'\nstages:\n  a:\n    x: &id [1]\n  b:\n    x: *id\n",
        "schema: '2.0'\nstages:\n  # a comment\n  a:\n    cmd: one\n",
        "schema: '2.0'\nstages: {a: {cmd: one}}\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: one\n  a:\n    cmd: two\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: one\n<<<<<<< ours\n",
        "schema: '2.0'\nstages:\n  a:\n    cmd: no end of line",
    ],
)
def test_a_file_that_dvc_has_not_written_is_left_to_dvc(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dvc.lock"
    path.write_text(text)
    assert lockfile.read(str(path)) is None


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.usefixtures("fast_modify")
@given(
    stages=st.dictionaries(ODD_NAMES, ENTRIES, min_size=1, max_size=3),
    where=st.floats(0, 1),
    cut=st.integers(0, 3),
    put=st.text("ab1 :#-'\"\n&*~[", max_size=2),
)
def test_what_dvc_reads_it_reads_entry_by_entry(
    tmp_path: Path, stages: dict[str, Any], where: float, cut: int, put: str
) -> None:
    path = tmp_path / "dvc.lock"
    whole = {"schema": "2.0", "stages": stages}
    dump_yaml(path, whole)
    assert load(path, Lockfile._load_yaml) == load(path, USUAL_LOAD) == whole
    # Somebody has edited it, or a disk has damaged it.
    text = path.read_text()
    position = int(where * len(text))
    path.write_text(text[:position] + put + text[position + cut :])
    assert load(path, Lockfile._load_yaml) == load(path, USUAL_LOAD)


@pytest.mark.usefixtures("fast_modify")
def test_a_damaged_entry_concerns_the_stage_that_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    for damaged in ("cmd: [", "hash: no command", "cmd: {a: mapping}"):
        path.write_text(f"schema: '2.0'\nstages:\n  a:\n    cmd: one\n  b:\n    {damaged}\n")
        lock = Lockfile(SimpleNamespace(fs=localfs, root_dir=str(tmp_path)), str(path))
        stages = lock._load_yaml()[0]["stages"]
        assert stages["a"] == {"cmd": "one"}
        with pytest.raises(DvcException):
            stages["b"]
        with modify(path) as data:
            data["stages"]["a"] = {"cmd": "two"}
        assert f"    cmd: two\n  b:\n    {damaged}\n" in path.read_text()


def test_what_else_dvc_puts_into_the_file_is_kept(fast_modify: Any, tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    dump_yaml(path, {"schema": "2.0", "stages": {"a": {"cmd": "one"}}})
    with fast_modify(str(path)) as data:
        data["datasets"] = [{"name": "b"}]
    assert load_yaml(path)["datasets"] == [{"name": "b"}]
    assert load_yaml(path)["stages"] == {"a": {"cmd": "one"}}


def test_an_error_meanwhile_leaves_the_file_as_it_was(fast_modify: Any, tmp_path: Path) -> None:
    path = tmp_path / "dvc.lock"
    dump_yaml(path, {"schema": "2.0", "stages": {"a": {"cmd": "one"}}})
    before = path.read_bytes()
    with contextlib.suppress(KeyError), fast_modify(str(path)) as data:
        data["stages"]["b"] = {"cmd": "two"}
        raise KeyError
    assert path.read_bytes() == before


def test_the_first_stage_is_recorded_in_one_step_as_well(fast_modify: Any, tmp_path: Path) -> None:
    """Where there is no dvc.lock yet, or one that DVC has not written, a reader sees no half."""
    path = tmp_path / "dvc.lock"
    for text in (None, "schema: '2.0'\nstages: {b: {cmd: two}}\n"):
        if text is not None:
            path.write_text(text)
        with fast_modify(str(path)) as data:
            data.setdefault("schema", "2.0")
            data.setdefault("stages", {})["a"] = {"cmd": "one"}
            assert (path.read_text() if path.exists() else None) == text
        assert load_yaml(path)["stages"]["a"] == {"cmd": "one"}
        assert [file.name for file in tmp_path.iterdir()] == ["dvc.lock"]


def test_a_kill_during_a_write_leaves_the_file_as_it_was(
    fast_modify: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "dvc.lock"
    dump_yaml(path, {"schema": "2.0", "stages": {"a": {"cmd": "one"}}})
    before = path.read_bytes()
    written: list[bytes] = []
    write_text = Path.write_text

    def half(file: Path, text: str, **options: Any) -> int:
        count = write_text(file, text[: len(text) // 2], **options)
        written.append(path.read_bytes())  # as whoever comes after a kill at this moment
        return count

    monkeypatch.setattr(Path, "write_text", half)
    with fast_modify(str(path)) as data:
        data["stages"]["b"] = {"cmd": "two"}
    assert written == [before]
