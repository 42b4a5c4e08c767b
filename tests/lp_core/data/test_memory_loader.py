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


def _loader(count=40, batch_size=8, augment=None, rank=0, world=1):
    augment = augment or AugmentSpec(crop=2, flip=True)
    return MemoryLoader(_split(count), MEAN, STD, batch_size, augment, "cpu", rank, world)


@settings(deadline=None, max_examples=25)
@given(world=st.sampled_from([1, 2, 4]), share=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_the_ranks_shares_together_are_the_single_process_batch(world, share, seed):
    size = world * share
    whole = list(_loader(batch_size=size).epoch(seed))
    shares = [list(_loader(batch_size=size, rank=r, world=world).epoch(seed)) for r in range(world)]
    assert all(len(part) == len(whole) for part in shares)
    for batch, parts in zip(whole, zip(*shares, strict=True), strict=True):
        assert torch.equal(batch[0], torch.cat([images for images, _ in parts]))
        assert torch.equal(batch[1], torch.cat([labels for _, labels in parts]))


def test_an_epoch_depends_on_its_seed_alone():
    loader = _loader()
    first = list(loader.epoch(3))
    other = list(loader.epoch(4))
    again = list(_loader().epoch(3))
    for (images, labels), (same_images, same_labels) in zip(first, again, strict=True):
        assert torch.equal(images, same_images)
        assert torch.equal(labels, same_labels)
    assert not all(torch.equal(a[1], b[1]) for a, b in zip(first, other, strict=True))


def test_an_epoch_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    list(_loader().epoch(0))
    assert torch.equal(before, torch.get_rng_state())


def test_the_order_does_not_depend_on_the_augmentation():
    plain = _loader(augment=AugmentSpec(crop=0, flip=False))
    for (_, labels), (_, same) in zip(plain.epoch(5), _loader().epoch(5), strict=True):
        assert torch.equal(labels, same)


def test_every_image_comes_once_but_for_the_incomplete_batch():
    loader = _loader(count=43, batch_size=8)
    labels = torch.cat([labels for _, labels in loader.epoch(0)])
    assert len(loader) == 5
    assert len(labels) == len(labels.unique()) == 40


def test_without_augmentation_images_arrive_whole_and_normalised():
    split = _split(40)
    loader = _loader(augment=AugmentSpec(crop=0, flip=False))
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    for images, labels in loader.epoch(1):
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
    for (images, labels), (on_gpu, gpu_labels) in zip(cpu, gpu, strict=True):
        assert on_gpu.device.type == "cuda"
        assert torch.equal(labels, gpu_labels.cpu())
        assert torch.equal(images, on_gpu.cpu())
