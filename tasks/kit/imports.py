"""Variants whose tickets are imported: what params.yaml says of them, and which file is which.

Nothing here reads a checkpoint, so that what names alone show is found before anything runs.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lp_core.checkpoints.folder import Found, find
from lp_core.checkpoints.spec import ImportSpec
from lp_core.errors import InputError
from tasks.kit.faults import unlisted

if TYPE_CHECKING:
    from tasks.kit.experiment import Experiment

_NAMED = 4  # files that an error names before it counts the rest


def faults(experiment: "Experiment") -> Iterator[str]:
    """What types do not show: a line for each fault, which begins with its key."""
    yield from unlisted("imports", experiment.imports, "variants", experiment.variants)
    for variant, spec in experiment.imports.items():
        if variant in experiment.grid:
            yield (
                f"imports.{variant}: grid has this variant, too, which trains it; remove it from "
                "one of them"
            )
        if "{seed}" not in spec.pattern and len(experiment.seeds) > 1:
            yield (
                f"imports.{variant}.pattern: {spec.pattern!r} has no {{seed}}, but seeds lists "
                f"{len(experiment.seeds)}; put it where names have their numbers, or list one seed"
            )


def missing_checkpoints(experiment: "Experiment") -> Iterator[str]:
    """What is wrong with the folders and the names in them: a line each."""
    tickets = [line.ticket for line in experiment.imp.rounds]
    for variant, spec in experiment.imports.items():
        try:
            assigned(variant, spec, experiment.seeds, tickets)
        except InputError as error:
            yield str(error)


def assigned(
    variant: str, spec: ImportSpec, seeds: Sequence[int], tickets: Sequence[int]
) -> dict[int, list[Found]]:
    """By seed, as many files as there are tickets; in the order of the tickets where their names
    say it.

    Where names have numbers, files of seeds and tickets that nobody lists are left alone. Raises
    InputError, naming the key in params.yaml.
    """
    key = f"imports.{variant}"
    try:
        found = find(spec.path, spec.pattern)
    except InputError as error:
        raise InputError(f"{key}: {error}") from error
    of_seed: dict[int, list[Found]] = {seed: [] for seed in seeds}
    for file in found:
        of_seed.setdefault(seeds[0] if file.seed is None else file.seed, []).append(file)
    for seed in seeds:
        if not of_seed[seed]:
            there = sorted(each for each, files in of_seed.items() if files)
            raise InputError(
                f"{key}: no file that matches {spec.pattern!r} is of seed {seed}; seeds can be "
                f"{there}"
            )
    return {seed: _chain(f"{key}, seed {seed}", of_seed[seed], tickets) for seed in seeds}


def _chain(whose: str, files: Sequence[Found], tickets: Sequence[int]) -> list[Found]:
    if files[0].ticket is None:
        if len(files) != len(tickets):
            raise InputError(
                f"{whose}: {len(files)} files match ({_named(files)}), but imp.rounds lists "
                f"{len(tickets)} tickets; {_rounds(len(files))}, or narrow the pattern"
            )
        return list(files)
    numbered: dict[int, Found] = {}
    for file in files:
        first = numbered.setdefault(file.ticket or 0, file)
        if first is not file:
            raise InputError(
                f"{whose}: {first.path} and {file.path} are both ticket {file.ticket}; narrow the "
                "pattern"
            )
    if missing := [number for number in tickets if number not in numbered]:
        there = ", ".join(map(str, sorted(numbered)))
        raise InputError(
            f"{whose}: no file of ticket {missing[0]}, which imp.rounds lists; there are those of "
            f"{there}, and ticket 0 is the dense one; shorten imp.rounds, or mend the pattern"
        )
    return [numbered[number] for number in tickets]


def _named(files: Sequence[Found]) -> str:
    names = [str(file.path) for file in files[:_NAMED]]
    return ", ".join(names) + (f" and {len(files) - _NAMED} more" if len(files) > _NAMED else "")


def _rounds(count: int) -> str:
    """What to write for so many tickets."""
    chain = ", ".join(f"{{ticket: {n}, parent: {n - 1 if n else 'rewind'}}}" for n in range(count))
    return f"give imp.rounds: [{chain}]"
