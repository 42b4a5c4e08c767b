"""Reading the paper's numbers."""

import pandas as pd
import pytest

from tasks.reporting.imp_pool.published import read_published
from tasks.reporting.published import at_density
from tests.tasks.reporting.made import write_published


def test_a_setting_is_a_data_set_and_a_model(tmp_path):
    write_published(tmp_path)
    published = read_published(tmp_path)
    rows = published.rows_of("cifar100", "vgg16")
    assert len(rows) == len(published.results) == 5 * 19
    assert rows["density"].is_monotonic_decreasing
    assert published.rows_of("cifar100", "resnet18").empty
    assert published.rows_of("cifar10", "vgg16").empty


@pytest.mark.parametrize("name", ["results.csv", "claims.csv"])
def test_a_fault_of_a_file_is_reported_with_its_name(tmp_path, name):
    write_published(tmp_path)
    path = tmp_path / name
    pd.read_csv(path).drop(columns="dataset").to_csv(path, index=False)
    with pytest.raises(ValueError, match=rf"{name}: columns are .*; give source, dataset"):
        read_published(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match=f"{name}: not found"):
        read_published(tmp_path)


def test_rounded_densities_find_their_own_and_no_other(tmp_path):
    write_published(tmp_path)
    rows = read_published(tmp_path).rows_of("cifar100", "vgg16").query("method == 'ticket'")
    for k in range(19):
        assert at_density(rows, 0.8**k)["density"].tolist() == [round(0.8**k, 4)]
    assert at_density(rows, 0.9).empty
