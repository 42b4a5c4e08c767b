"""Stage `code`: the fingerprint of what each stage runs, `code/<stage>.json`.

Every other stage depends on its own file there, which a comment, a docstring or a reformatting
leaves as it is. What a user picks by name in params.yaml (a network, a recipe, …) has files of its
own, so that a new one makes nothing stale that does not use it.
"""

import json
import shutil
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lp_core.corruptions.spec import KINDS, CorruptSpec
from lp_core.faces import module_of, names
from lp_core.files import atomic_write
from lp_core.models.ensembles.spec import ENSEMBLES
from lp_core.models.spec import ModelSpec
from lp_core.pooling.spec import RECIPES
from lp_core.sparsity.method_spec import METHODS
from lp_core.superposing.spec import SELECTIONS, EndingSpec
from tasks.kit import paths
from tasks.kit.cli import run
from tasks.kit.code import PROJECT, fingerprint
from tasks.kit.networks import entries_of, files_of, modules_of
from tasks.kit.params import Params


@dataclass(frozen=True)
class Used:
    """What a stage runs, or something that the params name.

    name: of its fingerprint. entries: each a registry and a name in it. modules: of the project,
    beside those of the entries. reads: files beside them.
    """

    name: str
    entries: list[list[str]]
    modules: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)

    @property
    def all_modules(self) -> list[str]:
        return sorted({*self.modules, *(module_of(*entry) for entry in self.entries)})


def main(_: Namespace) -> None:
    """Write the fingerprint of every stage, and of every network, recipe and corrupted set."""
    shutil.rmtree(paths.code("any").parent, ignore_errors=True)
    written: dict[str, Any] = {}
    # Again until nothing has changed: DVC takes what it finds afterwards for what this has read.
    while (current := _fingerprints()) != written:
        for name, content in current.items():
            with atomic_write(paths.code(name)) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n")
        written = current


def _fingerprints() -> dict[str, Any]:
    """By name: the registries' entries that are used, their modules, what is read beside them, and
    a digest of each file."""
    return {
        used.name: {
            "entries": used.entries,
            "modules": used.modules,
            "reads": used.reads,
            "files": fingerprint(used.all_modules, files=used.reads),
        }
        for used in (*_stages(), *_chosen(Params()))
    }


def _stages() -> Iterator[Used]:
    """Each module of this folder is a stage."""
    for file in sorted(Path(PROJECT, "tasks").glob("*.py")):
        if file.stem not in ("__init__", "code", "params"):
            yield Used(file.stem, [], [f"tasks.{file.stem}"])


def _chosen(params: Params) -> Iterator[Used]:
    """What the params name, by the name of what it is for."""
    for variant in params.section("variants", dict):
        model = Params(variant, params.path).section("model", ModelSpec)
        used = (entries_of(model), modules_of(model), files_of(model))
        yield Used(f"networks/{variant}", *used)
    for method, settings in params.section("pooling.recipes", dict).items():
        yield _used(f"recipes/{method}", RECIPES, [settings["recipe"]])
    for method, settings in params.section("sup_tickets.training", dict).items():
        yield _used(f"sparse_methods/{method}", METHODS, [settings["recipe"]])
    for name, ending in params.section("sup_tickets.ending", dict[str, EndingSpec]).items():
        selects = ending.average in names(SELECTIONS)
        yield _used(f"endings/{name}", SELECTIONS, [ending.average] if selects else [])
    for name in params.section("sup_tickets.efficient_ensembles", list[str]):
        yield _used(f"ensembles/{name}", ENSEMBLES, [name])
    for dataset, spec in params.section("corrupt", dict[str, CorruptSpec]).items():
        yield _used(f"corruptions/{dataset}", KINDS, spec.corruptions)


def _used(name: str, registry: str, used: list[str]) -> Used:
    return Used(name, [[registry, entry] for entry in used])


if __name__ == "__main__":
    run(main, code=())
