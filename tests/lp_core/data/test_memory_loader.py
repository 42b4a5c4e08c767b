import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lp_core.data.augment_spec import AugmentSpec
from lp_core.data.memory import MemoryLoader
from lp_core.data.store import Split

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]


def _split(count: int) -> Split:
    """Images that tell which they are: image i has label i."""
    generator = torch.Generator().manual_seed(7)
    images = torch.randint(0, 256, (count, 6, 6, 3), dtype=torch.uint8, generator=generator)
    return Split(images.permute(0, 3, 1, 2), torch.arange(count))


def _loader(count=40, batch_size=8, augment=None, rank=0, world=1, subset=None):
    augment = augment or AugmentSpec(crop=2, flip=True)
    return MemoryLoader(_split(count), MEAN, STD, batch_size, augment, "cpu", rank, world, subset)


@settings(deadline=None, max_examples=25)
@given(world=st.sampled_from([1, 2, 4]), share=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_the_ranks_shares_together_are_the_single_process_batch(world, share, seed):
    size = world * share
    whole = list(_loader(batch_size=size).epoch(seed))
    shares = [list(_loader(batch_size=size, rank=r, world=world).epoch(seed)) for r in range(world)]
    assert all(len(part) == len(whole) for part in shares)
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        for name, whole_batch in batch._asdict().items():
            assert torch.equal(whole_batch, torch.cat([getattr(part, name) for part in parts]))


def test_a_batch_knows_which_samples_it_holds():
    for batch in _loader().epoch(3):
        assert batch.indices.dtype == torch.int64
        assert torch.equal(batch.indices, batch.labels)  # image i has label i


def test_an_epoch_of_a_subset_holds_these_samples_alone_and_calls_them_as_the_split_does():
    subset = torch.tensor([31, 4, 15, 9, 26, 5, 3, 8])
    plain = AugmentSpec(crop=0, flip=False)
    batches = list(_loader(batch_size=4, augment=plain, subset=subset).epoch(2))
    assert len(batches) == 2
    indices = torch.cat([batch.indices for batch in batches])
    assert sorted(indices.tolist()) == sorted(subset.tolist())
    assert indices.tolist() != subset.tolist()  # shuffled
    for batch in batches:
        assert torch.equal(batch.labels, batch.indices)


def test_the_whole_split_as_a_subset_changes_nothing():
    for batch, same in zip(
        _loader().epoch(1), _loader(subset=torch.arange(40)).epoch(1), strict=True
    ):
        assert all(torch.equal(a, b) for a, b in zip(batch, same, strict=True))


def test_an_epoch_depends_on_its_seed_alone():
    loader = _loader()
    first = list(loader.epoch(3))
    other = list(loader.epoch(4))
    again = list(_loader().epoch(3))
    for batch, same in zip(first, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, same, strict=True))
    assert not all(torch.equal(a.labels, b.labels) for a, b in zip(first, other, strict=True))


def test_an_epoch_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    list(_loader().epoch(0))
    assert torch.equal(before, torch.get_rng_state())


def test_the_order_does_not_depend_on_the_augmentation():
    plain = _loader(augment=AugmentSpec(crop=0, flip=False))
    for batch, same in zip(plain.epoch(5), _loader().epoch(5), strict=True):
        assert torch.equal(batch.indices, same.indices)


def test_every_image_comes_once_but_for_the_incomplete_batch():
    loader = _loader(count=43, batch_size=8)
    labels = torch.cat([batch.labels for batch in loader.epoch(0)])
    assert len(loader) == 5
    assert len(labels) == len(labels.unique()) == 40


def test_without_augmentation_images_arrive_whole_and_normalised():
    split = _split(40)
    loader = _loader(augment=AugmentSpec(crop=0, flip=False))
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    for images, labels, _ in loader.epoch(1):
        expected = (split.images[labels].float() / 255 - mean) / std
        torch.testing.assert_close(images, expected, atol=2e-6, rtol=0)
        assert images.dtype == torch.float32
        assert labels.dtype == torch.int64
        assert images.is_contiguous(memory_format=torch.channels_last)


def test_images_laid_out_otherwise_give_the_same_batches():
    split = _split(16)
    plain = Split(split.images.contiguous(), split.labels)
    augment = AugmentSpec(crop=2, flip=True)
    a = MemoryLoader(split, MEAN, STD, 8, augment, "cpu").epoch(0)
    b = MemoryLoader(plain, MEAN, STD, 8, augment, "cpu").epoch(0)
    assert all(torch.equal(x[0], y[0]) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 41}, r"train\.batch_size is 41, but .* only 40 images"),
        ({"batch_size": 0}, r"train\.batch_size is 0"),
        ({"batch_size": 9, "world": 2}, r"train\.devices"),
        ({"rank": 2, "world": 2}, "rank is 2"),
    ],
)
def test_a_batch_that_cannot_be_filled_or_shared_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        _loader(**arguments)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gets_the_same_batches_as_the_cpu():
    augment = AugmentSpec(crop=2, flip=True)
    cpu = MemoryLoader(_split(40), MEAN, STD, 8, augment, "cpu").epoch(0)
    gpu = MemoryLoader(_split(40), MEAN, STD, 8, augment, "cuda").epoch(0)
    for batch, on_gpu in zip(cpu, gpu, strict=True):
        for expected, part in zip(batch, on_gpu, strict=True):
            assert part.device.type == "cuda"
            assert torch.equal(expected, part.cpu())
