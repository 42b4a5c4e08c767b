"""dvc.yaml says what the code does: which files and which params each stage's result depends on."""

import ast
import re
from fnmatch import fnmatch
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


# Those that read the whole file.
SECTIONED = [name for name in ONE_OF_EACH if name not in ("params", "tables", "report")]

# Sections that a stage reads whole, and the parts that its result depends on: ImpSpec checks the
# chain of rounds with the rest, but another round must not train again what is there.
PARTS = {
    ("pretrain", "imp"): {"imp.prunable"},
    ("imp", "imp"): {"imp.fraction"},
}


@pytest.mark.parametrize("name", SECTIONED)
def test_a_stage_depends_on_every_section_of_the_params_that_its_code_reads(name: str) -> None:
    declared = STAGES[name][2]
    missing = {section for section in _read(name) if not any(_covers(d, section) for d in declared)}
    assert not missing, f"dvc.yaml: stage {name} reads {missing} from params.yaml"


@pytest.mark.parametrize("name", SECTIONED)
def test_a_stage_depends_on_no_section_of_the_params_that_its_code_does_not_read(name: str) -> None:
    read = _read(name) | {"variants.*"}  # laid over all the others by Params
    needless = {d for d in STAGES[name][2] if not any(_covers(d, section) for section in read)}
    assert not needless, f"dvc.yaml: stage {name} has needlessly {needless}"


@pytest.mark.parametrize(
    ("declared", "section", "covers"),
    [
        ("train", "train", True),
        ("train", "train.augment", True),
        ("train.augment", "train", False),
        ("train.augment", "train.aug", False),
        ("train", "training", False),
        ("methods.swa", "methods.*", True),
        ("methods", "methods.*", True),
        ("pool", "pools", False),
    ],
)
def test_a_section_is_covered_by_itself_and_by_what_it_is_part_of(
    declared: str, section: str, covers: bool
) -> None:
    assert _covers(declared, section) == covers


def _covers(declared: str, section: str) -> bool:
    return fnmatch(declared, section) or section.startswith(declared + ".")


def _read(name: str) -> set[str]:
    """Sections that the code of a stage asks for; `*` where it puts a name in."""
    found = set()
    for file in closure(STAGES[name][0]):
        for call in ast.walk(ast.parse((ROOT / file).read_text())):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "section"
            ):
                key = call.args[0]
                parts = key.values if isinstance(key, ast.JoinedStr) else [key]
                section = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts
                )
                found |= PARTS.get((name.partition("@")[0], section), {section})
    return found


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
