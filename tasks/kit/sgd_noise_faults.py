"""What is wrong in the section `sgd_noise` of params.yaml, beyond keys and types."""

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from lp_core.analysis.probe_spec import ProbeSpec
from lp_core.analysis.stability import most_probes
from lp_core.errors import InputError
from lp_core.models.spec import ModelSpec
from lp_core.sparsity.spec import ImpSpec
from lp_core.training.spec import RewindSpec, TrainSpec
from tasks.kit.faults import empty, repeated, same_stages, unlisted
from tasks.kit.params import Params, ParamsError
from tasks.kit.removed import parsed
from tasks.kit.sgd_noise import SgdNoise, StableRewind

if TYPE_CHECKING:
    from tasks.kit.experiment import Experiment

_MOST = 2**63  # beyond every seed: the tables hold signed 64-bit numbers


def faults(experiment: "Experiment", params: Params) -> list[str]:
    """What types do not show: a line for each fault, which begins with its key."""
    section = experiment.sgd_noise
    found = [*_rewinding(experiment)]
    if section.variants:
        found += [*_choices(section, experiment), *_values(section), *_needed(section)]
        if not found:
            found += _crossed(section, experiment, params)
    else:
        found += _switched_off(section, experiment)
    if searched := section.stable_rewind.variants:
        key = "sgd_noise.stable_rewind.variants"
        found += [*_of_grid(key, searched, experiment), *repeated({key: searched})]
        found += _forks(section)
        if not found:
            found += _steps(section.stable_rewind, params)
    return list(dict.fromkeys(found))


def twice_the_same(section: SgdNoise) -> Iterator[str]:
    """A line for each training that runs twice: ticket 0 is dense, its mask takes nothing away."""
    if not section.variants:
        return
    if "rewind" in section.starts and 0 in section.starts:
        yield (
            "sgd_noise.starts: ticket 0 is dense and starts as rewind does, so that the same is "
            "trained twice; one of them is enough"
        )
    if 0 in section.few_shot.tickets and {"ticket", "permuted"} <= set(section.few_shot.networks):
        yield (
            "sgd_noise.few_shot: ticket 0 is dense and permuted the same, so that it is trained "
            "twice; leave it out of few_shot.tickets if that is too much"
        )


def _switched_off(section: SgdNoise, experiment: "Experiment") -> Iterator[str]:
    """An empty list of variants switches all off, and what has a list of its own must agree."""
    lists: dict[str, Sequence[Any]] = {
        "subsets.variants": section.subsets.variants,
        "crossed": section.crossed,
    }
    if experiment.rewind.mode != "stable":
        lists["stable_rewind.variants"] = section.stable_rewind.variants
    for key, values in lists.items():
        if values:
            yield (
                f"sgd_noise.{key}: the list is not empty, but sgd_noise.variants is, which "
                "switches all of this off; give [], or name variants there"
            )


def _rewinding(experiment: "Experiment") -> Iterator[str]:
    """Where the rewind point is searched for, the search has to be there, and nothing beside it."""
    searched = experiment.sgd_noise.stable_rewind.variants
    stable = experiment.rewind.mode == "stable"
    for variant, over in experiment.variants.items():
        own = (over or {}).get("rewind") or {}
        if "mode" in own:
            yield f"variants.{variant}.rewind.mode: all variants have the same; set rewind.mode"
        if stable and "epochs" in own:
            yield (
                f"variants.{variant}.rewind.epochs: rewind.mode is stable, so that the epoch is "
                "searched for; remove it"
            )
    if not stable:
        return
    for variant in experiment.grid:
        if variant not in searched:
            yield (
                f"sgd_noise.stable_rewind.variants: rewind.mode is stable, but {variant!r} of grid "
                "is not in the list; add it"
            )


def _of_grid(key: str, chosen: Sequence[str], experiment: "Experiment") -> Iterator[str]:
    """What is trained further must have been trained here: an import has no rewind point."""
    imported = [name for name in chosen if name in experiment.imports]
    yield from (
        f"{key}: {name!r} is imported, without a rewind point to train from; name variants of grid"
        for name in imported
    )
    others = [name for name in chosen if name not in imported]
    yield from unlisted(key, others, "grid", experiment.grid)


def _choices(section: SgdNoise, experiment: "Experiment") -> Iterator[str]:
    """What is chosen must be there, and be chosen once."""
    tickets = [line.ticket for line in experiment.imp.rounds]
    names: dict[str, tuple[Sequence[str], str, Collection[str]]] = {
        "subsets.variants": (section.subsets.variants, "sgd_noise.variants", section.variants),
        "transfer.targets": (section.transfer.targets, "datasets", experiment.datasets),
        "crossed.training": (
            [pair.training for pair in section.crossed],
            "variants",
            experiment.variants,
        ),
    }
    masks = [pair.masks for pair in section.crossed]
    for key, trained in (("variants", section.variants), ("crossed.masks", masks)):
        yield from _of_grid(f"sgd_noise.{key}", trained, experiment)
    for key, (chosen, where, known) in names.items():
        yield from unlisted(f"sgd_noise.{key}", chosen, where, known)
    numbers: dict[str, Sequence[int | str]] = {
        "starts": [start for start in section.starts if start != "rewind"],
        "crossed_tickets": section.crossed_tickets,
        "probes.tickets": section.probes.tickets,
        "transfer.tickets": section.transfer.tickets,
        "few_shot.tickets": section.few_shot.tickets,
    }
    for key, chosen_tickets in numbers.items():
        yield from (
            f"sgd_noise.{key}: there is no ticket {ticket}; imp.rounds has "
            f"{', '.join(map(str, tickets))}"
            for ticket in chosen_tickets
            if ticket not in tickets
        )
    lists: dict[str, Sequence[Any]] = {
        "variants": section.variants,
        "starts": section.starts,
        "subsets.variants": section.subsets.variants,
        "subsets.removed": section.subsets.removed,
        "crossed": [f"{pair.masks} as {pair.training}" for pair in section.crossed],
        **{key: chosen_tickets for key, chosen_tickets in numbers.items() if key != "starts"},
        "transfer.targets": section.transfer.targets,
        "few_shot.networks": section.few_shot.networks,
        "few_shot.percent": section.few_shot.percent,
        "few_shot.selections": section.few_shot.selections,
    }
    yield from repeated({f"sgd_noise.{key}": values for key, values in lists.items()})
    yield from empty({"sgd_noise.starts": section.starts})
    if experiment.dataset in section.transfer.targets:
        yield (
            f"sgd_noise.transfer.targets: {experiment.dataset!r} is what the tickets are trained "
            "on, which sgd_noise.probes measures; take it out"
        )
    transfers = product(
        section.variants, experiment.seeds, section.transfer.tickets, section.transfer.targets
    )
    keys = ("variant", "seed", "ticket", "target")
    items = [dict(zip(keys, each, strict=True)) for each in transfers]
    yield from same_stages("sgd_noise.transfer", "transfer", items)


def _forks(section: SgdNoise) -> Iterator[str]:
    """What is true of every start that forks."""
    if len(section.noise) < 2:
        yield f"sgd_noise.noise: {section.noise}; give two seeds or more: forks are compared"
    yield from repeated({"sgd_noise.noise": section.noise})
    if any(not 0 <= seed < _MOST for seed in section.noise):
        yield f"sgd_noise.noise: {section.noise}; give 0 or more, below 2**63"
    if not 0 <= section.threshold <= 1:
        yield (
            f"sgd_noise.threshold is {section.threshold}; it is a difference of errors, from 0 to 1"
        )


def _values(section: SgdNoise) -> Iterator[str]:
    """Numbers out of their range, and names that stand for nothing."""
    yield from _forks(section)
    for removed in section.subsets.removed:
        try:
            parsed(removed)
        except InputError as error:
            yield f"sgd_noise.subsets.removed: {error}"
    for percent in section.few_shot.percent:
        if not 1 <= percent <= 100:
            yield f"sgd_noise.few_shot.percent: {percent}; give 1 to 100"
    try:
        ProbeSpec(**section.probes.model_dump(exclude={"tickets"}))
    except InputError as error:
        yield f"sgd_noise.probes.{error}"


def _needed(section: SgdNoise) -> Iterator[str]:
    """What is measured of forks needs those of the rewind point."""
    if "rewind" in section.starts:
        return
    users = {
        "subsets.variants": section.subsets.variants,
        "few_shot.selections": section.few_shot.tickets and section.few_shot.selections,
    }
    for key, values in users.items():
        if values:
            yield (
                f"sgd_noise.{key}: {values}, which goes by what the forks at the rewind point "
                "forget; add rewind to sgd_noise.starts, or give []"
            )


def _crossed(section: SgdNoise, experiment: "Experiment", params: Params) -> Iterator[str]:
    """A mask must fit the network that is trained with it, from a point before its end."""
    if section.crossed and not section.crossed_tickets:
        yield from empty({"sgd_noise.crossed_tickets": section.crossed_tickets})
    for pair in section.crossed:
        masks, training = (Params(name, params.path) for name in (pair.masks, pair.training))
        at = f"sgd_noise.crossed: {pair.masks} as {pair.training}"
        try:
            networks = [each.section("model", ModelSpec) for each in (masks, training)]
            prunable = [each.section("imp", ImpSpec).prunable for each in (masks, training)]
            rewind = masks.section("rewind", RewindSpec).epochs
            end = training.section("train", TrainSpec).epochs
        except ParamsError:  # which is told of the variant
            continue
        if networks[0] != networks[1]:
            yield f"{at}: they have different networks; cross variants of one"
        if prunable[0] != prunable[1]:
            yield f"{at}: imp.prunable is {prunable[0]} and {prunable[1]}; cross variants of one"
        if experiment.rewind.mode == "fixed" and rewind >= end:
            yield (
                f"{at}: the masks' rewind point is at epoch {rewind}, where the training, of "
                f"{end} epochs, is over; cross variants that leave some"
            )


def _steps(section: StableRewind, params: Params) -> Iterator[str]:
    """One chain of steps, long enough for the longest training."""
    before: int | str = "start"
    for number, line in enumerate(section.steps):
        if line.after != before:
            yield (
                f"sgd_noise.stable_rewind.steps.{number}.after is {line.after}; the chain is "
                f"broken: give {before}"
            )
            return
        before = line.step
    yield from repeated({"sgd_noise.stable_rewind.steps": [line.step for line in section.steps]})
    if any(line.step < 0 for line in section.steps):
        yield "sgd_noise.stable_rewind.steps: a step is negative; give 0 or more"
    for variant in section.variants:
        try:
            epochs = Params(variant, params.path).section("train", TrainSpec).epochs
        except ParamsError:
            continue
        if len(section.steps) < most_probes(epochs):
            yield (
                f"sgd_noise.stable_rewind.steps: {len(section.steps)} steps, but the search in a "
                f"training of train.epochs = {epochs} (variant {variant!r}) takes up to "
                f"{most_probes(epochs)}; give so many"
            )
            return
