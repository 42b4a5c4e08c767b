"""The section `sup_tickets` of params.yaml: its keys and types, and what is wrong in it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from lp_core import faces
from lp_core.errors import InputError
from lp_core.models.ensembles.spec import ENSEMBLES
from lp_core.sparsity.method import SparseMethod
from lp_core.superposing.spec import EndingSpec
from lp_core.training.spec import TrainSpec
from tasks.kit.faults import empty, repeated, same_stages, unlisted
from tasks.kit.params import Params, ParamsError
from tasks.kit.sparse_methods import read_method

if TYPE_CHECKING:
    from tasks.kit.experiment import Experiment

_STRICT = ConfigDict(extra="forbid", strict=True)
_PLAIN = "plain"  # the ending that `ensembles` compares over the seeds


class Siblings(BaseModel):
    """Sparse trainings whose tickets join pools of IMP tickets.

    methods: which trainings. ending: the one of theirs that the ticket comes from. pool: the method
    of `pooling` that pools it.
    """

    model_config = _STRICT

    methods: list[str]
    ending: str
    pool: str


class SupTickets(BaseModel):
    """What is trained sparsely from scratch, and how it ends.

    variants: which are trained so; none switches the flow off. methods: the trainings, by name
    under `training`. endings: how each of them ends, by name under `ending`. corrupted: endings
    measured on corrupted images, too. ablated, ablations: methods that get more endings, and these.
    ensembles: methods whose plain endings over all seeds are compared as an ensemble.
    efficient_ensembles: networks of several members, by name. start: epochs before endings part.
    training: for each method a recipe by name, and its settings.
    """

    model_config = _STRICT

    variants: list[str]
    methods: list[str]
    endings: list[str]
    corrupted: list[str]
    ablated: list[str]
    ablations: list[str]
    ensembles: list[str]
    efficient_ensembles: list[str]
    siblings: Siblings
    prunable: Literal["conv", "conv+linear"]
    start: int
    training: dict[str, dict[str, Any]]
    ending: dict[str, EndingSpec]

    def endings_of(self, method: str) -> list[str]:
        """By name, with those to compare."""
        return [*self.endings, *(self.ablations if method in self.ablated else [])]


def faults(experiment: "Experiment", params: Params) -> list[str]:
    """What types do not show: a line for each fault, which begins with its key."""
    section = experiment.sup_tickets
    methods, found = _methods(section, params)
    if _PLAIN in section.ending and section.ending[_PLAIN].tickets:
        found.append(
            f"sup_tickets.ending.{_PLAIN}: this name stands for the ending of tickets 0; give "
            "another"
        )
    found += [
        f"sup_tickets.ending.{name}.tickets is 0; that is the ending {_PLAIN!r}, with which the "
        "others are paired: give it this name, or tickets"
        for name, ending in section.ending.items()
        if name != _PLAIN and not ending.tickets
    ]
    if not section.variants:
        return found
    found += [*_choices(section, experiment), *_siblings(section, experiment)]
    found += _same_stages(section, experiment.seeds)
    if not found:
        for variant in section.variants:
            train = Params(variant, params.path).section("train", TrainSpec)
            found += _misfits(section, methods, variant, train.epochs)
    return found


def _methods(section: SupTickets, params: Params) -> tuple[dict[str, SparseMethod], list[str]]:
    """Each method with its settings, and what is wrong in any of them."""
    methods: dict[str, SparseMethod] = {}
    found = []
    for method in section.training:
        if "." in method:  # no name, which is a fault of its own, and no place in the file
            continue
        try:
            methods[method] = read_method(params, method)
        except ParamsError as error:
            found += [line.removeprefix(f"{params.path}: ") for line in str(error).splitlines()]
        if method in faces.names(ENSEMBLES):
            found.append(
                f"sup_tickets.training.{method}: this name stands for an efficient ensemble; give "
                "another"
            )
    return methods, found


def _choices(section: SupTickets, experiment: "Experiment") -> Iterator[str]:
    """What is chosen must be there, and be chosen once."""
    chosen: dict[str, tuple[list[str], str, Collection[str]]] = {
        "variants": (section.variants, "variants", experiment.variants),
        "methods": (section.methods, "sup_tickets.training", section.training),
        "endings": (section.endings, "sup_tickets.ending", section.ending),
        "corrupted": (section.corrupted, "sup_tickets.endings", section.endings),
        "ablated": (section.ablated, "sup_tickets.methods", section.methods),
        "ablations": (section.ablations, "sup_tickets.ending", section.ending),
        "ensembles": (section.ensembles, "sup_tickets.methods", section.methods),
        "efficient_ensembles": (section.efficient_ensembles, ENSEMBLES, faces.names(ENSEMBLES)),
        "siblings.methods": (section.siblings.methods, "sup_tickets.methods", section.methods),
    }
    for key, (names, where, known) in chosen.items():
        yield from unlisted(f"sup_tickets.{key}", names, where, known)
        yield from repeated({f"sup_tickets.{key}": names})
    yield from empty(
        {"sup_tickets.methods": section.methods, "sup_tickets.endings": section.endings}
    )
    for ending in set(section.endings) & set(section.ablations):
        yield f"sup_tickets.ablations: {ending!r} is in sup_tickets.endings, too; take one out"
    if section.ensembles and _PLAIN not in section.endings:
        yield (
            f"sup_tickets.ensembles: {section.ensembles}, but sup_tickets.endings has no "
            f"{_PLAIN!r}, which is what they compare; add it, or give []"
        )


def _siblings(section: SupTickets, experiment: "Experiment") -> Iterator[str]:
    """The pools that the tickets of sparse trainings join must be there, and so must the latter."""
    siblings, pooling = section.siblings, experiment.pooling
    if not siblings.methods:
        return
    yield from unlisted(
        "sup_tickets.siblings.pool", [siblings.pool], "pooling.methods", pooling.methods
    )
    for method in siblings.methods:
        yield from unlisted(
            "sup_tickets.siblings.ending",
            [siblings.ending],
            f"the endings of {method}",
            section.endings_of(method),
        )
    for variant in section.variants:
        if variant not in pooling.variants:
            yield (
                f"sup_tickets.siblings.methods: {siblings.methods}, but variant {variant!r} is not "
                "in pooling.variants; add it there, or give []"
            )


def _same_stages(section: SupTickets, seeds: Sequence[int]) -> Iterator[str]:
    trainings = [
        {"variant": variant, "seed": seed, "method": method}
        for variant, seed, method in product(section.variants, seeds, section.methods)
    ]
    yield from same_stages("sup_tickets", "sparse", trainings)
    for key, stage in (("endings", "ending"), ("ablations", "ablation")):
        endings: list[str] = getattr(section, key)
        ended = [training | {"ending": e} for training, e in product(trainings, endings)]
        yield from same_stages("sup_tickets", stage, ended)


def _misfits(
    section: SupTickets, methods: Mapping[str, SparseMethod], variant: str, epochs: int
) -> Iterator[str]:
    """What does not fit into a training of so many epochs."""
    if not 0 < section.start < epochs:
        yield (
            f"sup_tickets.start: {section.start}; it must lie between 0 and the end of training, "
            f"which variant {variant!r} has at train.epochs = {epochs}"
        )
        return
    for method in section.methods:
        endings = section.endings_of(method)
        try:
            for name in endings:
                key = f"sup_tickets.ending.{name}"
                section.ending[name].require_fits(epochs, section.start)
            first = min(epochs - section.ending[name].superposing for name in endings)
            key = f"sup_tickets.training.{method}"
            methods[method].require_fits(epochs, first)
        except InputError as error:
            yield f"{key}.{error}"
