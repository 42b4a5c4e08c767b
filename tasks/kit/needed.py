"""What an experiment reads from this machine: that it is there, and not what the stages write."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lp_core.corruptions.spec import CorruptSpec
from tasks.kit import paths
from tasks.kit.params import shown

if TYPE_CHECKING:
    from tasks.kit.experiment import Experiment


def circles(experiment: "Experiment") -> Iterator[str]:
    """What a data set is made from must not be what is made from it: DVC would refuse the whole
    graph, or remove a folder of images before it reads it."""
    names = list(experiment.datasets)
    made = [Path(each) for each in ("code", "tickets", "pools", "sparse", "endings")]
    made += [Path(each) for each in ("rewind", "rewind_search")]
    made += [Path(each) for each in ("forks", "difficulty", "subset_forks")]
    made += [
        paths.ROWS,
        paths.RESULTS,
        paths.VALID,
        *map(paths.dataset, names),
        *map(paths.corrupted, names),
    ]
    sections = ("datasets", "corrupt", "imports")
    places: dict[str, str | None] = {"own_code": experiment.own_code}
    for section in sections:
        for name, spec in getattr(experiment, section).items():
            places |= {f"{section}.{name}.{k}": getattr(spec, k, None) for k in ("watch", "path")}
    for key, given in places.items():
        inside = [str(each) for each in made if given and _overlap(given, each)]
        if inside:
            yield (
                f"{key}: {given} overlaps {inside[0]}, which the stages write; name a place of its "
                "own"
            )


def _overlap(given: str, made: Path) -> bool:
    """Whether one of two places is the other, or lies in it."""
    one, other = os.path.abspath(given), os.path.abspath(made)
    return os.path.commonpath([one, other]) in (one, other)


def missing_files(experiment: "Experiment") -> Iterator[tuple[str, str]]:
    """What the experiment reads from this machine and is not there: whose it is, and what is wrong.

    Wrong official files, say, would else be found out when the tickets are trained and it is their
    turn.
    """
    for name, data in experiment.datasets.items():
        yield from ((name, f"datasets.{name}.watch: {fault}") for fault in _watched(data.watch))
        if data.source != "digits" and not data.download and not os.path.isdir(data.path):
            fault = f"there is no folder {shown(data.path)}; name one with the images"
            yield name, f"datasets.{name}.path: {fault}"
    for name, spec in experiment.corrupt.items():
        yield from ((name, f"corrupt.{name}.watch: {fault}") for fault in _watched(spec.watch))
        if spec.source == "official":
            yield from ((name, f"corrupt.{name}.path: {fault}") for fault in _official(spec))


def needed_by_tables(experiment: "Experiment") -> set[str]:
    """The data sets without which there are no tables: what networks learn, and what frozen tickets
    are transferred to."""
    section = experiment.sgd_noise
    transferred = bool(section.variants and section.transfer.tickets)
    return {experiment.dataset, *(section.transfer.targets if transferred else ())}


def _official(spec: CorruptSpec) -> Iterator[str]:
    if not os.path.isdir(spec.path):
        yield f"there is no folder {shown(spec.path)}; name the official files'"
        return
    files = [f"{each}.npy" for each in ("labels", *spec.corruptions)]
    missing = [file for file in files if not os.path.isfile(os.path.join(spec.path, file))]
    if missing:
        yield (
            f"{spec.path} lacks {', '.join(missing)}; name the folder that the official files are "
            "unpacked in, or list under corruptions what it has"
        )


def _watched(path: str) -> Iterator[str]:
    """What keeps DVC from looking at a file or folder."""
    if os.path.isdir(path):
        inside = (os.path.join(top, name) for top, _, names in os.walk(path) for name in names)
        if wrong := next((file for file in inside if not os.path.isfile(file)), None):
            yield f"{wrong} is a link to nothing, or no regular file; remove it, or watch another"
    elif not os.path.isfile(path):
        yield (
            f"there is no file or folder {shown(path)}; name one that changes when the data do "
            "(constraints.txt for what comes with a package)"
        )
