"""dvc.yaml says what the code does: which files and which params each stage's result depends on."""

import ast
import re
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.closure import ROOT, closure, rewrite


def _stages() -> dict[str, tuple[str, set[str], set[str]]]:
    """By stage name: its module, the project files and the params sections it declares."""
    with Repo(str(ROOT)) as repo:
        found = {}
        for stage in repo.index.stages:
            module = re.search(r"python -m (tasks\.\w+)", str(stage.cmd))
            assert module is not None
            files, params = set(), set()
            for dep in stage.deps:
                if hasattr(dep, "params"):
                    params |= set(dep.params)
                elif str(dep).endswith(".py"):
                    files.add(str(Path(str(dep))))
            found[stage.name] = (module[1], files, params)
    return found


STAGES = _stages()
ONE_OF_EACH = list({name.partition("@")[0]: name for name in STAGES}.values())


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_stage_depends_on_exactly_the_project_files_that_it_imports(name: str) -> None:
    module, declared, _ = STAGES[name]
    imported = closure(module)
    assert declared == imported, (
        f"run `make deps`: dvc.yaml forgets {sorted(imported - declared)} "
        f"and has needlessly {sorted(declared - imported)}"
    )


def test_make_deps_has_nothing_to_do() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert rewrite(text) == text


@pytest.mark.parametrize(
    "name", [n for n in ONE_OF_EACH if n not in ("params", "tables", "report")]
)
def test_a_stage_depends_on_every_section_of_the_params_that_its_code_reads(name: str) -> None:
    module, _, declared = STAGES[name]
    item = {"datasets.": "dataset", "methods.": "interpolation"}
    read = set()
    for file in closure(module):
        for call in ast.walk(ast.parse((ROOT / file).read_text())):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "section"
            ):
                key = call.args[0]
                if isinstance(key, ast.Constant):
                    read.add(str(key.value))
                else:
                    assert isinstance(key, ast.JoinedStr)
                    prefix = key.values[0]
                    assert isinstance(prefix, ast.Constant)
                    read.add(str(prefix.value) + item[str(prefix.value)])
    covered = {section for section in read if _covered(section, declared)}
    assert read == covered, f"dvc.yaml: stage {name} reads {read - covered} from params.yaml"


def _covered(section: str, declared: set[str]) -> bool:
    # `imp.rounds` or `imp.fraction` stand for the part of `imp` that the stage uses.
    head = section.partition(".")[0]
    return any(d == section or d.partition(".")[0] == head for d in declared)


def test_stage_names_are_those_that_scripts_rely_on() -> None:
    for name in (
        "dataset@digits",
        "corrupt@digits",
        "pretrain@base-0",
        "imp@base-0-round3",
        "pool@base-0-interpolation",
        "landscape@base-0",
        "ood@base-0",
        "ensemble@base-0",
        "tables",
        "report",
    ):
        assert name in STAGES


def test_no_stage_of_training_depends_on_pooling_corruptions_or_schemas() -> None:
    for name in ("pretrain@base-0", "imp@base-0-round3"):
        _, files, params = STAGES[name]
        assert not [f for f in files if re.search("pooling|corrupt|tables|summary|experiment", f)]
        assert not params & {
            "pool",
            "pooled",
            "pools",
            "methods",
            "corrupt",
            "imp.rounds",
            "seeds",
            "grid",
        }
