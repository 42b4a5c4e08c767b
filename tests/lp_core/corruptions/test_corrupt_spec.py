"""A corrupted test set has every corruption and severity that it names, once."""

import pytest

from lp_core.corruptions.sets import what_they_compare_with
from lp_core.corruptions.spec import CorruptSpec
from lp_core.errors import InputError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corruptions": []}, r"^corruptions is \[\]; give at least one, each once"),
        ({"corruptions": ["fog", "fog"]}, r"^corruptions is \['fog', 'fog'\]; .*, each once"),
        ({"corruptions": ["fox"]}, r"^corruptions has \['fox'\]; give some of .*fog"),
        ({"severities": []}, r"^severities is \[\]; give at least one, each once"),
        ({"severities": [1, 1]}, r"^severities is \[1, 1\]; give at least one, each once"),
        ({"severities": [0]}, r"^severities is \[0\]; give some of 1, 2, 3, 4, 5"),
        ({"images": 0}, "^images is 0; give at least 1, or null for all"),
        ({"watch": ""}, "^watch is empty; name a file"),
        ({"source": "official"}, r"^path is empty; name the folder of the official \.npy files"),
        ({"path": "CIFAR-10-C"}, "^path is 'CIFAR-10-C', but generated images have none"),
    ],
)
def test_a_corrupted_set_without_content_or_with_some_of_it_twice_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        CorruptSpec(**({"watch": "constraints.txt"} | settings))


def test_images_of_another_size_than_cifars_are_said_to_compare_with_nothing_published():
    assert "CIFAR-10-C" in what_they_compare_with(32, 32)
    for size in ((64, 64), (224, 224), (32, 48), (8, 8)):
        assert "comparable with no published number" in what_they_compare_with(*size)
