"""The flows that the project has."""

from flows.serve import FLOWS
from tests.flows.toy import REPO

# Stages that every flow builds on, and so come with whatever does.
SHARED = {"params", "code", "dataset", "corrupt", "pretrain"}


def test_every_stage_belongs_to_a_flow_and_every_target_is_a_stage() -> None:
    from dvc.utils.serialize import load_yaml

    targets = [flow.parameters.properties["targets"]["default"] for flow in FLOWS]
    assert SHARED.union(*targets) == set(load_yaml(REPO / "dvc.yaml")["stages"])
    assert set.intersection(*map(set, targets)) == {"tables", "report"}
