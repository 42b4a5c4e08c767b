"""The flows that the project has."""

import fnmatch
import importlib
from collections import Counter

from flows.serve import FLOWS
from tests.flows.toy import REPO

# Stages that every flow builds on, and so come with whatever does.
BASE = {"params", "code", "dataset", "corrupt", "pretrain"}


def test_every_stage_belongs_to_a_flow_and_every_target_is_a_stage() -> None:
    from dvc.utils.serialize import load_yaml

    stages = set(load_yaml(REPO / "dvc.yaml")["stages"])
    globs = {flow.name: flow.parameters.properties["targets"]["default"] for flow in FLOWS}
    targets = {
        flow: [n for g in own for n in fnmatch.filter(stages, g)] for flow, own in globs.items()
    }
    assert all(fnmatch.filter(stages, glob) for own in globs.values() for glob in own)
    assert BASE.union(*targets.values()) == stages
    counted = Counter(name for names in targets.values() for name in names)
    assert {name: count for name, count in counted.items() if count > 1} == {
        # SGD noise measures the grid's tickets and the barriers between them.
        **{"imp": 2, "landscape": 2},
        **{"tables": 3, "report": 3},
    }


def test_every_flow_is_served_and_found_in_the_module_of_its_name() -> None:
    made = {p.stem for p in REPO.glob("flows/*.py") if "= reproducing_flow(" in p.read_text()}
    assert {flow.name.replace("-", "_") for flow in FLOWS} == made
    for flow in FLOWS:
        name = flow.name.replace("-", "_")
        assert getattr(importlib.import_module(f"flows.{name}"), name) is flow
