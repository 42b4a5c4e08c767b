"""YAML that DVC reads again and again is parsed once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpath
import pytest
from dvc.dependency import param
from dvc.dependency.param import read_param_file
from dvc.fs import localfs
from dvc.utils import serialize, strictyaml
from dvc.utils.serialize import YAMLFileCorruptedError, _yaml, load_yaml
from hypothesis import given
from hypothesis import strategies as st

from flows import parsed


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts that DVC's own parser got since the installation."""
    texts: list[str] = []

    def counting(text: str, *arguments: Any) -> Any:
        texts.append(text)
        return usual(text, *arguments)

    usual = serialize.parse_yaml
    monkeypatch.setattr(serialize, "parse_yaml", counting)
    monkeypatch.setattr(_yaml, "parse_yaml", usual)
    monkeypatch.setattr(strictyaml, "parse_yaml", usual)
    monkeypatch.setattr(param, "dpath", dpath)
    parsed._parsed.cache_clear()
    parsed.install()
    yield texts
    parsed._parsed.cache_clear()


def test_a_text_is_parsed_once_and_every_reader_may_change_what_he_gets(
    parses: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("train: {epochs: 2}\n")
    for _ in range(3):
        params = read_param_file(localfs, str(path))
        assert params == {"train": {"epochs": 2}}
        params["train"]["epochs"] = 3
    assert len(parses) == 1


def test_a_file_that_was_edited_is_parsed_again(parses: list[str], tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for epochs in (2, 3, 2):
        path.write_text(f"epochs: {epochs}\n")
        assert load_yaml(path) == {"epochs": epochs}
    assert len(parses) == 2


def test_what_was_learned_before_is_not_parsed_by_dvc(parses: list[str], tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text("broken: [\n")
    parsed.learn(tmp_path)
    parsed.learn(tmp_path / "nowhere")
    parses.clear()
    assert load_yaml(tmp_path / "dvc.yaml") == {"stages": {}}
    assert parses == []


@pytest.mark.usefixtures("parses")
def test_a_file_that_is_no_yaml_is_named_in_the_error(tmp_path: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        (tmp_path / name).write_text("broken: [\n")
        with pytest.raises(YAMLFileCorruptedError, match=name):
            load_yaml(tmp_path / name)


WORDS = st.sampled_from(["a", "b-1", "True", "1", "*", "a.b", "[a]", "None", "nan"])
KEYS = st.one_of(WORDS, st.sampled_from([1, True, None, float("nan")]))


@given(
    params=st.recursive(
        st.integers(0, 2),
        lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=2),
        max_leaves=12,
    ),
    name=st.lists(WORDS, min_size=1, max_size=3).map(".".join),
)
def test_a_parameter_is_what_dvc_finds_under_its_name(params: Any, name: str) -> None:
    def outcome(get: Any) -> str:
        try:
            return repr(get(params, name, separator="."))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    assert outcome(parsed._Dpath().get) == outcome(dpath.get)


@given(
    text=st.one_of(
        st.text("ab:-[]{}&*!'\"|>#\n 019.ety~<", max_size=40),
        st.sampled_from(["2001-12-14t21:59:43.10-05:00", "!!set {a, b}", "&a [*a]", "{1: .inf}"]),
    )
)
def test_every_text_gives_what_dvc_makes_of_it(text: str) -> None:
    def outcome(parse: Any) -> str:
        try:
            return repr(parse(text, "params.yaml"))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    assert outcome(parsed.parse_yaml) == outcome(serialize.parse_yaml)
