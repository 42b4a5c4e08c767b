"""The random corruptions: distributions as published, and plain loops that give the same."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage, stats

from lp_core.corruptions.apply import corrupt
from lp_core.corruptions.ice import PHOTOGRAPHS, TEXTURES, ice
from lp_core.corruptions.imaging import grain
from lp_core.corruptions.kinds.glass import scattered
from lp_core.corruptions.photons import level_chances
from lp_core.corruptions.plasma import plasma

Images = npt.NDArray[np.uint8]

SEVERITIES = [1, 2, 3, 4, 5]


def flat(level: int, count: int = 40) -> Images:
    return np.full((count, 32, 32, 3), level, np.uint8)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_and_speckle_noise_have_the_published_spread(severity: int) -> None:
    c = [0.04, 0.06, 0.08, 0.09, 0.10][severity - 1]
    out = corrupt(flat(128), "gaussian_noise", severity, seed=0) / 255
    assert out.std() == pytest.approx(c, rel=0.02)
    # Cutting decimals off costs half a level on average.
    assert out.mean() == pytest.approx(127.5 / 255, abs=0.001)
    c = [0.06, 0.1, 0.12, 0.16, 0.2][severity - 1]
    for level in (60, 120):
        out = corrupt(flat(level), "speckle_noise", severity, seed=0) / 255
        assert out.std() == pytest.approx(c * level / 255, rel=0.02)
        assert out.mean() == pytest.approx((level - 0.5) / 255, abs=0.001)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_follows_the_poisson_distribution(severity: int) -> None:
    c = [500, 250, 100, 75, 50][severity - 1]
    for level in (0, 3, 100, 255):
        out = corrupt(flat(level), "shot_noise", severity, seed=0).ravel()
        drawn = np.random.default_rng(0).poisson(level / 255 * c, 200_000) / c
        expected = np.floor(np.minimum(drawn, 1) * 255)
        both = [np.bincount(v.astype(int), minlength=256) / len(v) for v in (out, expected)]
        assert np.abs(np.cumsum(both[0]) - np.cumsum(both[1])).max() < 0.01
        assert level_chances(c)[level].sum() == pytest.approx(1)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_is_salt_and_pepper_in_equal_parts(severity: int) -> None:
    c = [0.01, 0.02, 0.03, 0.05, 0.07][severity - 1]
    out = corrupt(flat(100), "impulse_noise", severity, seed=0)
    assert set(np.unique(out)) == {0, 100, 255}
    for end in (0, 255):
        assert (out == end).mean() == pytest.approx(c / 2, rel=0.1)


@pytest.mark.parametrize(("reach", "times"), [(1, 1), (1, 2), (2, 2), (3, 1)])
def test_glass_blurs_waves_equal_the_sequential_replacements(reach: int, times: int) -> None:
    count, height, width = 3, 13, 17
    rng = np.random.default_rng(reach)
    offsets = rng.integers(-reach, reach, (count, times, 2, height, width))
    expected = np.stack([np.arange(height * width).reshape(height, width)] * count)
    for image, rounds in zip(expected, offsets, strict=True):
        for down, right in rounds:
            for h in range(height - reach, reach, -1):
                for w in range(width - reach, reach, -1):
                    image[h, w] = image[h + down[h, w], w + right[h, w]]
    out = scattered(offsets, reach)
    assert np.array_equal(out, expected.reshape(count, -1))


def test_glass_blur_moves_pixels_by_at_most_its_shift_each_time() -> None:
    rows, columns = np.mgrid[:32, :32]
    images = np.stack([rows * 8, columns * 8, 0 * rows], axis=-1)[None].astype(np.uint8)
    # Severity 1 blurs by too little to matter: what is left is where each pixel comes from.
    moved = (corrupt(images, "glass_blur", 1, seed=0).astype(int) - images) // 8
    assert set(np.unique(moved[..., :2])) == {-1, 0}


@pytest.mark.parametrize("decay", [1.75, 2, 3])
def test_plasma_is_the_diamond_square_fractal(decay: float) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16)).astype(np.float32)
    for field, out in zip(noise.astype(float), plasma(noise, decay), strict=True):
        cloud, step, strength = np.zeros((16, 16)), 16, 1.0
        while step > 1:
            half = step // 2
            for h in range(half, 16, step):
                for w in range(half, 16, step):
                    corners = [cloud[(h + i) % 16, (w + j) % 16] for i, j in _diagonal(half)]
                    cloud[h, w] = np.mean(corners) + strength * field[h, w]
            for h in range(0, 16, half):
                for w in range((h + half) % step, 16, step):
                    sides = [cloud[(h + i) % 16, (w + j) % 16] for i, j in _straight(half)]
                    cloud[h, w] = np.mean(sides) + strength * field[h, w]
            step, strength = half, strength / decay**2
        assert np.allclose(out, (cloud - cloud.min()) / np.ptp(cloud), atol=1e-5)


def _diagonal(d: int) -> list[tuple[int, int]]:
    return [(-d, -d), (-d, d), (d, -d), (d, d)]


def _straight(d: int) -> list[tuple[int, int]]:
    return [(-d, 0), (d, 0), (0, -d), (0, d)]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_lightens_black_and_never_passes_the_images_brightest(severity: int) -> None:
    c = [0.2, 0.5, 0.75, 1, 1.5][severity - 1]
    images = np.zeros((4, 32, 32, 3), np.uint8)
    images[:, :16] = 200
    out = corrupt(images, "fog", severity, seed=0)
    brightest = 200 / 255
    assert out.max() <= 200
    assert out[:, 16:].max() <= np.ceil(255 * c * brightest / (brightest + c))
    assert out[:, 16:].mean() > 5


def test_ice_has_the_photographs_colours_is_textured_and_always_the_same() -> None:
    for index, (mean, spread, grainy) in enumerate(PHOTOGRAPHS):
        texture = ice(index, 205)
        assert texture.shape == (205, 205, 3)
        assert texture.mean(axis=(0, 1)) == pytest.approx(mean, abs=2)
        assert texture.std(axis=(0, 1)) == pytest.approx(spread, abs=2)
        # Green pixels two apart have in common what is not grain, and not quite smooth.
        green = texture[..., 1].ravel()
        common = np.corrcoef(green[:-2], green[2:])[0, 1]
        assert 0.75 * (1 - grainy) < common < 1 - grainy
    ice.cache_clear()
    assert np.array_equal(texture, ice(TEXTURES - 1, 205))


def test_frost_blends_ice_into_the_image() -> None:
    out = corrupt(flat(0, 200), "frost", 5, seed=0)
    assert out.max() <= 0.45 * 255
    mean = np.mean([mean for mean, *_ in PHOTOGRAPHS])
    assert out.mean() == pytest.approx(0.45 * mean, rel=0.05)
    white = corrupt(flat(255, 200), "frost", 5, seed=0).astype(int)
    assert np.abs(white - np.minimum(out.astype(int) + round(0.75 * 255), 255)).max() <= 1


@pytest.mark.parametrize("scale", [0.25, 0.875, 2, 7])
def test_grain_keeps_the_spread_of_blurred_noise(scale: float) -> None:
    noise = np.random.default_rng(0).normal(size=(600, 600))
    expected = ndimage.gaussian_filter(noise, 0.7, mode="wrap").std()
    blurred = ndimage.gaussian_filter(noise * grain(0.7, scale), 0.7 * scale, mode="wrap")
    assert blurred.std() == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_spatter_marks_only_pixels_that_its_threshold_makes_wet(severity: int) -> None:
    mean, spread, sigma, threshold = [
        (0.62, 0.1, 0.7, 0.7),
        (0.65, 0.1, 0.8, 0.7),
        (0.65, 0.3, 1, 0.69),
        (0.65, 0.1, 0.7, 0.69),
        (0.65, 0.1, 0.5, 0.68),
    ][severity - 1]
    taps = ndimage.gaussian_filter1d(np.eye(1, 41, 20)[0], sigma)
    share = stats.norm.sf(threshold, mean, spread * (taps**2).sum())
    images = flat(0 if severity <= 3 else 255, 100)
    changed = (corrupt(images, "spatter", severity, seed=0) != images).any(axis=-1)
    # Near the border the noise is averaged over fewer pixels, and there are more drops.
    changed = changed[:, 4:-4, 4:-4].mean()
    # Water is lit on one side of its drops; mud keeps only their inside.
    assert 0.1 * share < changed < 1.05 * share
