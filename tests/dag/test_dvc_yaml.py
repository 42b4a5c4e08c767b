"""dvc.yaml says what the code does: on which code and which params each stage's result depends."""

import ast
import re
import tempfile
from fnmatch import fnmatch
from pathlib import Path

import pytest
from dvc.repo import Repo

from tasks.kit.code import PROJECT as ROOT
from tasks.kit.code import fingerprint
from tests.dag import sgd_noise
from tests.dag.project import TINY, Project

# Whatever the default experiment switches off.
ALL_ON = {
    "sup_tickets": TINY["sup_tickets"]
    | {"ablations": ["caa"], "ensembles": ["rigl"], "efficient_ensembles": ["tree-net"]},
    **{section: sgd_noise.EXPERIMENT[section] for section in ("datasets", "variants", "sgd_noise")},
    "grid": ["base"],
}


def _stages() -> dict[str, tuple[str, str, set[str], set[str]]]:
    """By stage name: module, command, the code/ files and the params sections it declares."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder))
        project.params(ALL_ON)
        return _stages_of(project.root)


def _stages_of(root: Path) -> dict[str, tuple[str, str, set[str], set[str]]]:
    with Repo(str(root)) as repo:
        stages = {}
        for stage in repo.index.stages:
            module = re.search(r"python -m (tasks\.\w+)", str(stage.cmd))
            assert module is not None
            code, params = set(), set()
            for dep in stage.deps:
                if hasattr(dep, "params"):
                    params |= set(dep.params)
                elif str(dep).startswith("code/"):
                    code.add(str(dep).removeprefix("code/").removesuffix(".json"))
            stages[stage.name] = (module[1], str(stage.cmd), code, params)
        return stages


STAGES = _stages()
ONE_OF_EACH = list({name.partition("@")[0]: name for name in STAGES}.values())


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_stage_depends_on_the_fingerprints_that_its_guard_compares(name: str) -> None:
    module, command, declared, _ = STAGES[name]
    arguments = dict(re.findall(r"--(?:\w+\.)?(\w+) (\S+)", command))
    assert {pattern.format(**arguments) for pattern in _guarded(module)} == declared, (
        f"{module} hands other names to run(code=…) than dvc.yaml has under deps"
    )


def _guarded(module: str) -> list[str]:
    """The names that a stage's module hands to `run`: its own where it hands none."""
    tree = ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text())
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "run":
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            if "code" in given:
                return list(ast.literal_eval(given["code"]))
            return [module.rpartition(".")[2]]
    raise AssertionError(f"{module} does not call run")


# Those that read the whole file.
SECTIONED = [name for name in ONE_OF_EACH if name not in ("params", "code", "tables", "report")]


@pytest.mark.parametrize("name", SECTIONED)
def test_a_stage_depends_on_every_section_of_the_params_that_its_code_reads(name: str) -> None:
    declared = STAGES[name][3]
    missing = {section for section in _read(name) if not any(_covers(d, section) for d in declared)}
    assert not missing, f"dvc.yaml: stage {name} reads {missing} from params.yaml"


@pytest.mark.parametrize("name", SECTIONED)
def test_a_stage_depends_on_no_section_of_the_params_that_its_code_does_not_read(name: str) -> None:
    read = _read(name) | {"variants.*"}  # laid over all the others by Params
    needless = {d for d in STAGES[name][3] if not any(_covers(d, section) for section in read)}
    assert not needless, f"dvc.yaml: stage {name} has needlessly {needless}"


@pytest.mark.parametrize(
    ("declared", "section", "covers"),
    [
        ("train", "train", True),
        ("train", "train.augment", True),
        ("train.augment", "train", False),
        ("train.augment", "train.aug", False),
        ("train", "training", False),
        ("pooling.recipes.swa", "pooling.recipes.*", True),
        ("pooling.recipes", "pooling.recipes.*", True),
        ("pooling.scoring", "pooling.recipes.*", False),
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
    sections = set()
    for file in fingerprint([STAGES[name][0]]):
        if not file.endswith(".py"):
            continue
        for call in ast.walk(ast.parse((ROOT / file).read_text())):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "section"
            ):
                key = call.args[0]
                parts = key.values if isinstance(key, ast.JoinedStr) else [key]
                sections.add(
                    "".join(
                        str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts
                    )
                )
    return sections


def test_stage_names_are_those_that_scripts_rely_on() -> None:
    for name in (
        "dataset@digits",
        "corrupt@digits",
        "pretrain@base-0",
        "imp@base-0-round1",
        "ood@base-0-round1",
        "pool@base-0-interpolation",
        "ood_pool@base-0-interpolation",
        "landscape@base-0",
        "ensemble@base-0",
        "sparse@base-0-rigl",
        "ending@base-0-rigl-cia",
        "ablation@base-0-rigl-caa",
        "ending_scores@base-0-rigl-cia",
        "ablation_scores@base-0-rigl-caa",
        "ood_ending@base-0-rigl-cia",
        "seeds_ensemble@base-0-rigl",
        "efficient_ensemble@base-0-tree-net",
        "sibling@base-0-rigl-interpolation",
        *sgd_noise.SGD_NOISE,
        "tables",
        "report",
    ):
        assert name in STAGES


def test_no_stage_of_training_runs_pooling_corruptions_or_schemas() -> None:
    for name in ("pretrain@base-0", "imp@base-0-round1"):
        module, _, _, params = STAGES[name]
        files = fingerprint([module])
        assert not [
            f
            for f in files
            if re.search("pooling|corrupt|tables|reporting|experim|superpos|methods/", f)
        ]
        assert not [
            p
            for p in params
            if re.match("pooling|corrupt|imp.rounds|seeds|grid|sup_tickets|sgd", p)
        ]


def test_no_stage_of_the_shared_part_of_a_sparse_training_knows_how_it_ends() -> None:
    module, _, _, params = STAGES["sparse@base-0-rigl"]
    files = fingerprint([module])
    endings = "cheap_tickets|rates|pooling"
    assert not [f for f in files if re.search(f"{endings}|corrupt|tables|reporting", f)]
    assert not [p for p in params if re.match("pooling|corrupt|imp|rewind|seeds|grid", p)]
    assert not [p for p in params if p.startswith("sup_tickets.ending")]


def test_no_fork_knows_what_is_measured_of_it() -> None:
    """Nor which other forks there are."""
    module, _, _, params = STAGES[sgd_noise.FORKS[0]]
    files = fingerprint([module])
    assert not [f for f in files if re.search("connectivity|probes|pooling|tables|reporting", f)]
    assert not [p for p in params if re.match("pooling|corrupt|imp|seeds|grid|sup_tic|sgd", p)]


def test_no_training_reads_a_folder_of_forks() -> None:
    """One that was listed once may lie there, and would train it again."""
    text = (ROOT / "dvc.yaml").read_text()
    stages = {s.partition(":")[0]: s for s in re.split(r"\n  (?=\w+:\n)", text)[1:]}
    deps = {name: s.partition("deps:")[2].partition("outs:")[0] for name, s in stages.items()}
    readers = {name for name, read in deps.items() if re.search(r"\bforks/", read)}
    assert readers == {"instability"}


def test_a_stage_takes_about_fifteen_lines() -> None:
    """The results' lists of tables apart."""
    text = (ROOT / "dvc.yaml").read_text().partition("  tables:")[0]
    stages = re.split(r"\n  (?=\w+:\n)", text)[1:]
    lines = [sum(1 for line in s.splitlines() if line.split("#")[0].strip()) for s in stages]
    assert sum(lines) / len(lines) < 17
    assert Path(ROOT, "dvc.yaml").read_text().count("\n") < 740
