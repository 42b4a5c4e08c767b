"""Which variants and networks a figure names."""

from dataclasses import replace

import pytest

from tasks.reporting.imp_pool.figures.connectivity import barriers
from tasks.reporting.imp_pool.figures.matrices import heatmap
from tasks.reporting.no_data import NoData
from tests.tasks.reporting.imp_pool.figures.failing import failing
from tests.tasks.reporting.made import Made, results
from tests.tasks.reporting.made_sgd import MadeSgd

MADE = Made(tickets=2)


@pytest.fixture
def unlike():
    """Variant no-rewind is of another network."""
    made_results = results(MADE)
    for frame in made_results.frames.values():
        frame.loc[frame["variant"] == "no-rewind", "model"] = "resnet20"
    return made_results


@pytest.mark.parametrize(("draw", "name"), [(heatmap, "heatmap"), (barriers, "barriers")])
def test_all_networks_of_a_figure_are_named_each_once(draw, name, unlike):
    of_two = "resnet8, resnet20 on digits, variants base, no-rewind"
    assert of_two in draw(unlike)[name].get_suptitle()
    alike = "resnet8 on digits, variants base, no-rewind"
    assert alike in draw(results(MADE))[name].get_suptitle()


def test_a_variants_network_is_named_where_the_variants_differ_in_it(unlike):
    assert unlike.described("base") == "base (resnet8, rewound to epoch 2)"
    assert unlike.described("no-rewind") == "no-rewind (resnet20, no rewinding)"
    assert results(MADE).described("base") == "base (rewound to epoch 2)"


def test_an_imported_variant_comes_last_and_nothing_is_said_of_its_training():
    made = replace(MADE, variants=("mine", "base"), imported=("mine",))
    made_results = results(replace(made, dataset="cifar100", model="vgg16"))
    assert made_results.variants == ["base", "mine"]
    assert made_results.described("mine") == "mine (imported)"
    assert len(made_results.published_rows("base"))
    assert not len(made_results.published_rows("mine"))


def test_a_table_that_no_variant_has_rows_in_is_said():
    made_results = results(MADE)
    assert made_results.variants_with("heatmap") == ["base", "no-rewind"]
    assert made_results.variants_with("ensembles") == made_results.pooled == ["base"]
    unpooled = failing(MADE, variant="base")
    assert unpooled.pooled == []
    with pytest.raises(NoData, match="no variant has rows in table `ensembles`"):
        unpooled.variants_with("ensembles")


def test_a_rewind_point_that_a_search_found_is_named_by_the_mean_over_seeds():
    found = results(replace(MADE, sgd=MadeSgd(seeds=(0, 1), aimp=())))
    found.params.raw["rewind"] = {"mode": "stable", "epochs": 0}
    for variant, epochs in (("mu0-bs32-init", {2, 3}), ("mu0.9-bs32-init", {5, 6})):
        rows = found.frames["stable_rewind"]
        assert set(rows[rows["variant"] == variant]["epoch"]) == epochs
        assert found.rewound_to(variant) == round(sum(epochs) / 2)
