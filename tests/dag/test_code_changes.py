"""A rerun computes what a change of the code invalidated, and no more: the real DAG, through DVC.

Each test makes its change in a copy of one finished experiment.
"""

import re
from collections.abc import Callable

import pytest

from tests.dag.project import TINY, Project
from tests.dag.stages import (
    ENDING_SCORES,
    ENDINGS,
    IMP_POOL,
    OOD,
    OOD_ENDING,
    OOD_POOL,
    POOLING,
    RESULTS,
    SIBLING,
    SUP_TICKETS,
)


def _comments_docstrings_and_blank_lines(project: Project) -> None:
    for folder in ("lp_core", "tasks"):
        for file in (project.root / folder).rglob("*.py"):
            text = file.read_text()
            text = re.sub(r'\A"""', '"""Reworded: ', text)
            file.write_text(f"{text}\n\n# an afterthought\n\n\n")


def _another_layout(project: Project) -> None:
    """Assignments in brackets, on lines of their own."""
    trainer = project.root / "lp_core" / "training" / "trainer.py"
    text = re.sub(r"\n( +)(loss = )(nn.*)\n", r"\n\1\2(\n\1    \3\n\1)\n", trainer.read_text())
    assert "loss = (" in text
    trainer.write_text(text)


def _corruption(project: Project, module: str, function: str, old: str, new: str) -> None:
    file = project.root / "lp_core" / "corruptions" / "kinds" / f"{module}.py"
    start, body = file.read_text().split(f"def {function}(")
    assert old in body
    file.write_text(f"{start}def {function}({body.replace(old, new, 1)}")


def _snow(project: Project) -> None:
    _corruption(project, "weather", "snow", "8, 3, 0.95", "8, 3, 0.75")


def _fog(project: Project) -> None:
    _corruption(project, "weather", "fog", "(0.2, 3)", "(0.3, 3)")


def _contrast(project: Project) -> None:
    _corruption(project, "digital", "contrast", "0.75", "0.7")


def _a_column_of_ood(project: Project) -> None:
    project.edit(
        "lp_core/tables.py",
        '"ood": _ENDING | _TICKET',
        '"ood": _ENDING | {"mark": _INT} | _TICKET',
    )
    project.edit(
        "tasks/kit/corrupted.py",
        '{"corruption": corruption, ',
        '{"mark": 1, "corruption": corruption, ',
    )


def _entry(project: Project, registry: str, module: str, text: str, line: str) -> None:
    """A file and a line: what anyone adds to a registry."""
    folder = project.root / "lp_core" / registry
    (folder / module).with_suffix(".py").write_text(text)
    with (folder / "__init__.pyi").open("a") as stub:
        stub.write(line + "\n")


def _a_recipe_that_nobody_uses(project: Project) -> None:
    text = "from lp_core.pooling.recipes.swa import Swa\n\n\nclass SwaAgain(Swa):\n    pass\n"
    line = "from .swa_again import SwaAgain as SwaAgain"
    _entry(project, "pooling/recipes", "swa_again", text, line)


def _a_recipe_that_is_used(project: Project) -> None:
    _a_recipe_that_nobody_uses(project)
    pooling = TINY["pooling"]
    recipes = pooling["recipes"] | {"again": {"recipe": "swa-again"}}
    methods = [*pooling["methods"], "again"]
    project.params({"pooling": pooling | {"recipes": recipes, "methods": methods}})


def _a_model(project: Project) -> None:
    text = "from lp_core.models.networks.residual import resnet8\n\nresnet8_mine = resnet8\n"
    line = "from .mine import resnet8_mine as resnet8_mine"
    _entry(project, "models/networks", "mine", text, line)


def _a_variant_with_that_model(project: Project) -> None:
    _a_model(project)
    variants = {"base": {}, "no-rewind": {"rewind": {"epochs": 0}}}
    project.params(
        {
            "variants": variants | {"mine": {"model": {"name": "resnet8_mine"}}},
            "grid": ["base", "no-rewind", "mine"],
        }
    )


def _a_stage(project: Project) -> None:
    (project.root / "tasks" / "greeting.py").write_text(
        "from pathlib import Path\n\nfrom tasks.kit.cli import run\n\n\n"
        "def main(_):\n    Path('greeting.txt').write_text('hello')\n\n\n"
        "if __name__ == '__main__':\n    run(main)\n"
    )
    with (project.root / "dvc.yaml").open("a") as file:
        file.write(
            "  greeting:\n    cmd: python -m tasks.greeting\n"
            "    deps: [code/greeting.json]\n    outs: [greeting.txt]\n"
        )


def _a_data_set(project: Project) -> None:
    digits = {"source": "digits", "watch": "constraints.txt"}
    project.params(
        {
            "datasets": {"digits": digits | {"val_fraction": 0.2}, "more": digits},
            "corrupt": TINY["corrupt"] | {"more": TINY["corrupt"]["digits"]},
        }
    )


def _the_loss(project: Project) -> None:
    project.edit(
        "lp_core/training/trainer.py",
        "cross_entropy(logits.float(), batch.labels)",
        "cross_entropy(logits.float(), batch.labels, label_smoothing=0.1)",
    )


def _the_figures(project: Project) -> None:
    project.edit("tasks/reporting/style.py", "WIDTH = 9.6", "WIDTH = 9.5")


def _the_template(project: Project) -> None:
    template = project.root / "tasks" / "reporting" / "report.html.j2"
    template.write_text(template.read_text() + "<!-- more -->\n")


def _append(project: Project, file: str, text: str) -> None:
    with (project.root / file).open("a") as code:
        code.write(text)


def _the_recipe_of_swa(project: Project) -> None:
    _append(project, "lp_core/pooling/recipes/swa.py", "\n\nEXTRA = 1\n")


def _the_stage_pool(project: Project) -> None:
    _append(project, "tasks/pool.py", "\n\nEXTRA = 1\n")


def _rigl(project: Project) -> None:
    _append(project, "lp_core/sparsity/methods/rigl.py", "    prune_rate: float = 0.4\n")


def _superposing(project: Project) -> None:
    project.edit("lp_core/superposing/rates.py", "step - first_step + 1, cycle", "1, cycle")


def _the_stage_ending(project: Project) -> None:
    _append(project, "tasks/ending.py", "\n\nEXTRA = 1\n")


def _what_no_stage_runs(project: Project) -> None:
    """All at once: whichever of them counts for a stage, that stage is stale."""
    _comments_docstrings_and_blank_lines(project)
    _another_layout(project)
    _contrast(project)  # not one of the corruptions that are listed
    _a_recipe_that_nobody_uses(project)
    _a_model(project)
    for file in ("tasks/export/card.py", "lp_core/exporting.py", "lp_core/interchange.py"):
        _append(project, file, "\n\nEXTRA = 1\n")


MINE = ["pretrain@mine-0", *(f"{s}@mine-0-round{k}" for s in ("imp", "ood") for k in (0, 1))]
CODE: dict[Callable[[Project], None], list[str]] = {
    _what_no_stage_runs: [],
    _snow: ["corrupt@digits", *OOD, *OOD_POOL, *OOD_ENDING, *RESULTS],
    _fog: ["corrupt@digits"],  # in the same file as snow: made again, to the same bytes
    _a_column_of_ood: [*OOD, *OOD_POOL, *OOD_ENDING, *RESULTS],
    _a_recipe_that_is_used: ["params", "pool@base-0-again", *RESULTS],
    _a_variant_with_that_model: ["params", *MINE, "landscape@mine-0", *RESULTS],
    _a_stage: ["greeting"],
    # The tables keep the params, and the report shows them.
    _a_data_set: ["params", "dataset@more", "corrupt@more", *RESULTS],
    _the_loss: [*IMP_POOL, *SUP_TICKETS, *RESULTS],
    # Of one flow alone.
    _the_recipe_of_swa: [POOLING[1], *RESULTS],
    _the_stage_pool: [*POOLING, *RESULTS],
    _rigl: [*SUP_TICKETS, *RESULTS],
    _superposing: [*ENDINGS, ENDING_SCORES[1], *OOD_ENDING, *SIBLING, *RESULTS],
    _the_stage_ending: [*ENDINGS, *RESULTS],
    _the_figures: ["report"],
    _the_template: ["report"],
}


@pytest.mark.parametrize("change", CODE, ids=lambda change: change.__name__.strip("_"))
def test_a_change_of_the_code_runs_exactly_what_it_can_change(
    project: Project, change: Callable[[Project], None]
) -> None:
    change(project)
    assert sorted(project.reruns()) == sorted(["code", *CODE[change]])
