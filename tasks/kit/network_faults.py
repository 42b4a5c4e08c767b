"""What may be wrong with the networks that params.yaml names.

Networks of the user's own lie in the folder `own_code`, which the stage `code` depends on: an edit
elsewhere would not be noticed.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lp_core.errors import InputError
from lp_core.models.spec import ModelSpec
from tasks.kit.code import PACKAGES, PROJECT, fingerprint
from tasks.kit.networks import modules_of
from tasks.kit.params import Params, ParamsError, shown

if TYPE_CHECKING:
    from tasks.kit.experiment import Experiment


def faults(experiment: "Experiment", params: Params) -> Iterator[str]:
    """What is wrong with the name own_code, and with networks and weights that lie elsewhere."""
    own = experiment.own_code
    if not own.isidentifier() or own in (*PACKAGES, "flows", "presets"):
        yield f"own_code: {shown(own)}; give the name of a folder in the root, such as own"
        return
    for at, spec in _each(experiment, params):
        package = (spec.own_module or own).partition(".")[0]
        if package not in (own, *PACKAGES):
            yield (
                f"{at}.name: {spec.name} lies outside {own}, where nobody would notice an edit; "
                f"move it there ({own}.nets:…), or give own_code the folder that it lies in"
            )
        if spec.weights == "":
            yield f"{at}.weights is empty; give a file in {own}, or null"
        elif spec.weights and not _is_below(spec.weights, own):
            yield f"{at}.weights: {shown(spec.weights)}; give a file in {own}, where it is watched"


def unusable(experiment: "Experiment", params: Params) -> Iterator[str]:
    """What is wrong on this machine: what is not there, and what cannot be imported.

    Whether a network takes the images is found when it is built.
    """
    own = experiment.own_code
    if not Path(own).is_dir():
        yield f"own_code: there is no folder {own}; make it, with a file that git keeps in it"
        return
    if elsewhere := _elsewhere(own):
        yield f"own_code: Python finds {elsewhere} by the name {own}; rename the folder"
        return
    for at, spec in _each(experiment, params):
        if spec.weights and not os.path.isfile(spec.weights):
            yield f"{at}.weights: there is no file {shown(spec.weights)}; give one, or null"
    named = [(at, spec) for at, spec in _each(experiment, params) if spec.by_import]
    if not named:
        return
    from lp_core.models.by_import import constructor  # which imports torch

    for at, spec in named:
        try:
            fingerprint(modules_of(spec))
            constructor(spec)
        except InputError as error:
            yield f"{at}: {error}"


def _each(experiment: "Experiment", params: Params) -> Iterator[tuple[str, ModelSpec]]:
    """The network of each variant, and where it is named."""
    for variant, over in experiment.variants.items():
        at = f"variants.{variant}.model" if "model" in (over or {}) else "model"
        try:
            yield at, Params(variant, params.path).section("model", ModelSpec)
        except ParamsError:  # which is told of the variant
            continue


def _elsewhere(own: str) -> str | None:
    """Where Python would find a package of this name, if not here."""
    spec = importlib.util.find_spec(own)
    places = [*(spec.submodule_search_locations or [spec.origin or ""])] if spec else []
    here = {os.path.abspath(own), str(PROJECT / own)}
    there = [os.path.abspath(place) for place in places if place]
    return there[0] if there and not here & set(there) else None


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath([os.path.abspath(path), os.path.abspath(folder)]) == (
        os.path.abspath(folder)
    )
