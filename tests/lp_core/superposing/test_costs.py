"""What training costs, against a count from the masks recorded at each step."""

import pytest
from torch import Tensor, nn

from lp_core.analysis.flops import flops
from lp_core.superposing.costs import TrainingCost
from lp_core.training.hooks import Hook, Progress
from tests.lp_core.sparse import EPOCHS, PLAIN, SETTINGS, STEPS, SUP, hook, method, sparse_run
from tests.lp_core.tiny import TinyRun

SHAPE, BATCH = (3, 8, 8), 16


class Record(Hook):
    """The masks that each step's passes were made with, and whether its gradients were dense."""

    def __init__(self) -> None:
        self.steps: list[tuple[dict[str, Tensor], bool]] = []

    def before_step(self, progress: Progress) -> None:
        self.masks = {name: mask.clone() for name, mask in progress.masks.items()}
        self.asked = progress.dense_steps

    def after_step(self, progress: Progress) -> None:
        self.steps.append((self.masks, progress.dense_steps > self.asked))


def cost_of(run: TinyRun) -> TrainingCost:
    cost = hook(run, "TrainingCost")
    assert isinstance(cost, TrainingCost)
    return cost


@pytest.mark.parametrize("ending", [PLAIN, SUP], ids=["plain", "sup"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_training_costs_what_its_masks_multiplied_step_by_step(name, ending):
    run = sparse_run(method(name), ending, others=lambda: [Record()])
    run.train()
    record = hook(run, "Record")
    assert isinstance(record, Record)
    dense = flops(run.model, SHAPE)
    expected = 0
    for masks, dense_gradient in record.steps:
        sparse = flops(run.model, SHAPE, masks)
        expected += BATCH * (2 * sparse + (dense if dense_gradient else sparse))
    cost = cost_of(run)
    assert cost.flops(run.model, SHAPE, BATCH) == expected
    assert cost.dense_flops(run.model, SHAPE, BATCH) == 3 * BATCH * dense * EPOCHS * STEPS
    if name == "dense":
        assert cost.flops(run.model, SHAPE, BATCH) == cost.dense_flops(run.model, SHAPE, BATCH)


def test_a_small_network_costs_what_it_costs_by_hand():
    """A convolution at 36 places, 5 of whose 216 weights are kept, and a dense classifier."""
    cost = TrainingCost()
    cost.load_state_dict(
        {
            "steps": 10,
            "dense_steps": 2,
            "kept": {"0.weight": 50},
            "kept_when_dense": {"0.weight": 10},
        }
    )
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )
    per_image = 2 * 36 * (8 * (3 * 5) + 2 * (2 * 5 + 216)) + 10 * 3 * 2 * 32
    assert cost.flops(model, SHAPE, BATCH) == BATCH * per_image


def test_a_prefix_hands_its_count_to_its_endings(tmp_path):
    whole = sparse_run(method("granet"), SUP)
    whole.train()
    prefix = sparse_run(method("granet"), stop=4)
    prefix.train()
    prefix.trainer.save(tmp_path / "prefix")
    ending = whole.again(start=tmp_path / "prefix")
    ending.train()
    assert cost_of(ending).state_dict() == cost_of(whole).state_dict()
    assert cost_of(prefix).steps == 4 * STEPS
