"""The 19 corruptions one image at a time: what the tests and `benchmarks.corruptions` compare with.

Each function follows the published procedure step by step, with the calls one would write first:
float64 arrays unless the procedure has others, SciPy filters, PIL resizing and JPEG, Python loops
over pixels, and 8-bit intermediates wherever it has them. Constants and scale are CIFAR's: images
are H×W×3, about 32 pixels wide, uint8 in and out. Two steps are not the original's: motion blur is
computed here, not by ImageMagick (whose rounding it keeps), and frost's photographs are drawn.
"""

import io
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
from matplotlib.colors import hsv_to_rgb, rgb_to_hsv
from PIL import Image
from scipy import ndimage

from lp_core.corruptions.ice import SIDE, TEXTURES, ice

Array = np.ndarray[Any, np.dtype[Any]]


def levels(x: Array) -> Array:
    """0–1 to uint8: decimals are cut off."""
    return (np.clip(x, 0, 1) * 255).astype(np.uint8)


def smooth(x: Array, sigma: float) -> Array:
    """Gaussian blur of the two first axes."""
    return ndimage.gaussian_filter(x, [sigma, sigma, 0][: x.ndim], mode="nearest")


def gaussian_noise(image: Array, severity: int, rng: np.random.Generator) -> Array:
    c = [0.04, 0.06, 0.08, 0.09, 0.10][severity - 1]
    return levels(image / 255 + rng.normal(0, c, image.shape))


def shot_noise(image: Array, severity: int, rng: np.random.Generator) -> Array:
    c = [500, 250, 100, 75, 50][severity - 1]
    return levels(rng.poisson(image / 255 * c) / c)


def impulse_noise(image: Array, severity: int, rng: np.random.Generator) -> Array:
    c = [0.01, 0.02, 0.03, 0.05, 0.07][severity - 1]
    hit = rng.random(image.shape) < c
    salt = rng.random(image.shape) < 0.5
    return np.where(hit, np.where(salt, 255, 0), image).astype(np.uint8)


def speckle_noise(image: Array, severity: int, rng: np.random.Generator) -> Array:
    c = [0.06, 0.1, 0.12, 0.16, 0.2][severity - 1]
    x = image / 255
    return levels(x + x * rng.normal(0, c, image.shape))


def defocus_blur(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    radius, alias = [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)][severity - 1]
    grid = np.arange(-8, 9)
    disk = (grid[:, None] ** 2 + grid**2 <= radius**2).astype(np.float32)
    kernel = cv2.GaussianBlur(disk / disk.sum(), (3, 3), alias)
    channels = [cv2.filter2D(image[..., k] / 255, -1, kernel) for k in range(3)]
    return levels(np.stack(channels, axis=-1))


def gaussian_blur(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    return levels(smooth(image / 255, [0.4, 0.6, 0.7, 0.8, 1][severity - 1]))


def glass_blur(image: Array, severity: int, rng: np.random.Generator) -> Array:
    sigma, reach, times = [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)][
        severity - 1
    ]
    x = levels(smooth(image / 255, sigma))
    height, width = image.shape[:2]
    for _ in range(times):
        for h in range(height - reach, reach, -1):
            for w in range(width - reach, reach, -1):
                right, down = rng.integers(-reach, reach, 2)
                x[h, w] = x[h + down, w + right]
    return levels(smooth(x / 255, sigma))


def streak(x: Array, radius: int, sigma: float, degrees: float) -> Array:
    """uint8 to uint8, rounded: half a Gaussian along an angle, on whole pixels."""
    reach = 2 * radius
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for i in range(reach + 1):
        column = reach + math.ceil(i * math.cos(math.radians(degrees)) - 0.5)
        row = reach + math.ceil(i * math.sin(math.radians(degrees)) - 0.5)
        kernel[row, column] += math.exp(-(i**2) / (2 * sigma**2))
    blurred = cv2.filter2D(
        x.astype(float), -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE
    )
    return np.floor(blurred + 0.5).astype(np.uint8)


def motion_blur(image: Array, severity: int, rng: np.random.Generator) -> Array:
    radius, sigma = [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)][severity - 1]
    return streak(image, radius, sigma, rng.uniform(-45, 45))


def magnified(x: Array, zoom: float) -> Array:
    """The centre, magnified to the size of the whole."""
    height, width = x.shape[:2]
    crop_h, crop_w = math.ceil(height / zoom), math.ceil(width / zoom)
    top, left = (height - crop_h) // 2, (width - crop_w) // 2
    crop = x[top : top + crop_h, left : left + crop_w]
    big = ndimage.zoom(crop, (zoom, zoom, 1)[: x.ndim], order=1)
    top, left = (big.shape[0] - height) // 2, (big.shape[1] - width) // 2
    return big[top : top + height, left : left + width]


def zoom_blur(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    # NumPy's floating-point range reaches its end twice: 1.06 and 1.11 are among the zooms.
    zooms = np.arange(1, [1.06, 1.11, 1.16, 1.21, 1.26][severity - 1], 0.01)
    x = (image / 255).astype(np.float32)
    return levels((x + sum(magnified(x, zoom) for zoom in zooms)) / (len(zooms) + 1))


def snow(image: Array, severity: int, rng: np.random.Generator) -> Array:
    mean, spread, zoom, threshold, radius, sigma, own = [
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ][severity - 1]
    flakes = magnified(rng.normal(mean, spread, image.shape[:2]), zoom)
    flakes = levels(np.where(flakes < threshold, 0, flakes))
    layer = streak(flakes, radius, sigma, rng.uniform(-135, -45))[..., None] / 255
    x = (image / 255).astype(np.float32)
    grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
    x = own * x + (1 - own) * np.maximum(x, grey * 1.5 + 0.5)
    return levels(x + layer + np.rot90(layer, 2))


@cache
def drawn_photographs() -> tuple[bytes, ...]:
    """JPEG files of about the size of the published photographs."""
    files = [io.BytesIO() for _ in range(TEXTURES)]
    for index, file in enumerate(files):
        Image.fromarray(ice(index, SIDE)).save(file, "JPEG", quality=90)
    return tuple(file.getvalue() for file in files)


def frost(
    image: Array,
    severity: int,
    rng: np.random.Generator,
    photographs: Sequence[bytes] | None = None,
) -> Array:
    """photographs: five files; drawn ice unless given."""
    a, b = [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)][severity - 1]
    file = (photographs or drawn_photographs())[int(rng.integers(5))]
    photograph = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    texture = cv2.resize(photograph, (0, 0), fx=0.2, fy=0.2)
    top = rng.integers(texture.shape[0] - image.shape[0])
    left = rng.integers(texture.shape[1] - image.shape[1])
    window = texture[top : top + image.shape[0], left : left + image.shape[1]]
    return np.clip(a * image + b * window, 0, 255).astype(np.uint8)


def fog(image: Array, severity: int, rng: np.random.Generator) -> Array:
    c, decay = [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)][severity - 1]
    side = 2 ** math.ceil(math.log2(max(image.shape[:2])))
    clouds = np.zeros((side, side))
    step, strength = side, 1.0
    while step > 1:
        half = step // 2
        for h in range(0, side, step):
            for w in range(0, side, step):
                right, below = (w + step) % side, (h + step) % side
                corners = clouds[h, w] + clouds[h, right] + clouds[below, w] + clouds[below, right]
                clouds[h + half, w + half] = corners / 4 + strength * rng.uniform(-1, 1)
        for h in range(0, side, half):
            for w in range((h + half) % step, side, step):
                across = clouds[h, w - half] + clouds[h, (w + half) % side]
                down = clouds[h - half, w] + clouds[(h + half) % side, w]
                clouds[h, w] = (across + down) / 4 + strength * rng.uniform(-1, 1)
        step, strength = half, strength / decay**2
    clouds -= clouds.min()
    clouds /= clouds.max()
    x = image / 255
    fogged = x + c * clouds[: image.shape[0], : image.shape[1], None]
    return levels(fogged * x.max() / (x.max() + c))


def brightness(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    hsv = rgb_to_hsv(image / 255)
    hsv[..., 2] = np.clip(hsv[..., 2] + [0.05, 0.1, 0.15, 0.2, 0.3][severity - 1], 0, 1)
    return levels(hsv_to_rgb(hsv))


def saturate(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    a, b = [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)][severity - 1]
    hsv = rgb_to_hsv(image / 255)
    hsv[..., 1] = np.clip(hsv[..., 1] * a + b, 0, 1)
    return levels(hsv_to_rgb(hsv))


def contrast(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    c = [0.75, 0.5, 0.4, 0.3, 0.15][severity - 1]
    x = image / 255
    return levels((x - x.mean(axis=(0, 1))) * c + x.mean(axis=(0, 1)))


def elastic_transform(image: Array, severity: int, rng: np.random.Generator) -> Array:
    alpha, sigma, jitter = [
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    ][severity - 1]
    height, width = image.shape[:2]
    side = min(height, width)
    x, y, arm = width // 2, height // 2, side // 3
    corners = np.array([[x + arm, y + arm], [x + arm, y - arm], [x - arm, y - arm]], np.float32)
    moves = rng.uniform(-jitter * side, jitter * side, (3, 2)).astype(np.float32)
    affine = cv2.getAffineTransform(corners, corners + moves)
    unit = (image / 255).astype(np.float32)
    bent = cv2.warpAffine(unit, affine, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    fields = [
        alpha
        * side
        * ndimage.gaussian_filter(
            rng.uniform(-1, 1, (height, width)), sigma * side, mode="reflect", truncate=3
        )
        for _ in range(2)
    ]
    rows, columns, channels = np.meshgrid(
        np.arange(height), np.arange(width), np.arange(3), indexing="ij"
    )
    places = [rows + fields[0][..., None], columns + fields[1][..., None], channels]
    return levels(ndimage.map_coordinates(bent, places, order=1, mode="reflect"))


def pixelate(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    c = [0.95, 0.9, 0.85, 0.75, 0.65][severity - 1]
    picture = Image.fromarray(image)
    small = picture.resize((int(picture.width * c), int(picture.height * c)), Image.Resampling.BOX)
    return np.asarray(small.resize(picture.size, Image.Resampling.BOX))


def jpeg_compression(image: Array, severity: int, _rng: np.random.Generator) -> Array:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=[80, 65, 58, 50, 40][severity - 1])
    return np.asarray(Image.open(file))


def spatter(image: Array, severity: int, rng: np.random.Generator) -> Array:
    mean, spread, sigma, threshold, strength = [
        (0.62, 0.1, 0.7, 0.7, 0.5),
        (0.65, 0.1, 0.8, 0.7, 0.5),
        (0.65, 0.3, 1, 0.69, 0.5),
        (0.65, 0.1, 0.7, 0.69, 0.6),
        (0.65, 0.1, 0.5, 0.68, 0.6),
    ][severity - 1]
    liquid = smooth(rng.normal(mean, spread, image.shape[:2]), sigma)
    x = (image / 255).astype(np.float32)
    if severity > 3:
        mud = smooth((liquid > threshold).astype(np.float32), strength)
        mud = np.where(mud < 0.8, 0, mud)[..., None]
        return levels(x * (1 - mud) + mud * np.array([63, 42, 20]) / 255)
    return levels(
        x + strength * water(liquid, threshold)[..., None] * [175 / 255, 238 / 255, 238 / 255]
    )


def water(liquid: Array, threshold: float) -> Array:
    """The light that drops reflect, 0–1: an emboss of the distance from their rims."""
    drops = levels(np.where(liquid < threshold, 0, liquid))
    rims = cv2.Canny(drops, 50, 150)
    far = np.minimum(cv2.distanceTransform(255 - rims, cv2.DIST_L2, 5), 20)
    height = cv2.equalizeHist(cv2.blur(far, (3, 3)).astype(np.uint8))
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    light = drops * cv2.blur(cv2.filter2D(height, cv2.CV_8U, emboss), (3, 3)).astype(np.float32)
    return light / max(light.max(), 1e-12)
