"""CIFAR-C's digital corruptions: contrast, elastic transform, pixelate, JPEG, and saturation."""

import cv2
import numpy as np
from PIL import Image

from lp_core.corruptions.imaging import (
    Images,
    gaussian,
    grain,
    scale_of,
    to_uint8,
    to_unit,
)
from lp_core.corruptions.streams import Streams


def contrast(images: Images, severity: int, _streams: Streams) -> Images:
    """Pulls values towards their mean, per image and channel: (x − mean)·c + mean."""
    c = (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]
    x = to_unit(images)
    means = np.array([cv2.mean(image)[: x.shape[-1]] for image in x], np.float32)[:, None, None]
    return to_uint8((x - means) * np.float32(c) + means)


def elastic_transform(images: Images, severity: int, streams: Streams) -> Images:
    """An affine jitter, then a smooth random displacement: (α, σ, jitter), shares of the side.

    The jitter moves three corners of a square, two thirds of the side wide, each by itself, by up
    to its share of the side; the displacement is uniform noise blurred by σ, times α.
    """
    alpha, sigma, jitter = (
        (0, 0, 0.08),
        (0.05, 0.2, 0.07),
        (0.08, 0.06, 0.06),
        (0.1, 0.04, 0.05),
        (0.1, 0.03, 0.03),
    )[severity - 1]
    count, height, width, _ = images.shape
    side, scale = min(height, width), scale_of(images)
    x, y, arm = width // 2, height // 2, max(1, side // 3)
    corners = np.array([[x + arm, y + arm], [x + arm, y - arm], [x - arm, y - arm]], np.float32)
    moves = streams.uniform(-jitter * side, jitter * side, 3, 2)

    shifts = np.zeros((2 * count, height, width), np.float32)
    if alpha:
        strength = alpha * side * grain(sigma * 32, scale)
        noise = streams.uniform(-strength, strength, 2, height, width)
        shifts = gaussian(
            noise.reshape(shifts.shape), sigma * side, truncate=3, border=cv2.BORDER_REFLECT
        )
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    shifts = shifts.reshape(count, 2, height, width) + np.stack([columns, rows])

    out = to_unit(images)
    for image, move, (to_columns, to_rows) in zip(out, moves, shifts, strict=True):
        affine = cv2.getAffineTransform(corners, corners + move)
        bent = cv2.warpAffine(image, affine, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        if alpha:
            bent = cv2.remap(
                bent, to_columns, to_rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
        image[...] = bent.reshape(image.shape)
    return to_uint8(out)


def pixelate(images: Images, severity: int, _streams: Streams) -> Images:
    """Box-resizes to a share c of the side and back."""
    c = (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1]
    height, width, channels = images.shape[1:]
    small = (max(1, int(width * c)), max(1, int(height * c)))
    out = np.empty_like(images)
    for source, target in zip(images, out, strict=True):
        image = Image.fromarray(source if channels == 3 else source[..., 0])
        shrunk = image.resize(small, Image.Resampling.BOX)
        again = np.asarray(shrunk.resize(image.size, Image.Resampling.BOX))
        target[...] = again.reshape(target.shape)
    return out


def jpeg_compression(images: Images, severity: int, _streams: Streams) -> Images:
    """JPEG of a quality, and back. Its blocks are 8×8 pixels whatever the side."""
    quality = (80, 65, 58, 50, 40)[severity - 1]
    mode = cv2.IMREAD_COLOR if images.shape[-1] == 3 else cv2.IMREAD_GRAYSCALE
    # OpenCV's colours are blue first.
    flipped = np.ascontiguousarray(images[..., ::-1])
    out = np.empty_like(images)
    for source, target in zip(flipped, out, strict=True):
        encoded = cv2.imencode(".jpg", source, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        decoded = cv2.imdecode(encoded, mode)
        assert decoded is not None, "OpenCV cannot read back its own JPEG"
        target[...] = decoded.reshape(target.shape)
    return np.ascontiguousarray(out[..., ::-1])


def saturate(images: Images, severity: int, _streams: Streams) -> Images:
    """HSV saturation · a + b. Grey (one-channel) images have none and stay as they are.

    Grey pixels of colour images have hue 0, red, by convention: where b > 0 they turn reddish, as
    in the published sets.
    """
    a, b = ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))[severity - 1]
    if images.shape[-1] == 1:
        return images.copy()
    tall = to_unit(images).reshape(-1, images.shape[2], 3)
    hsv = cv2.cvtColor(tall, cv2.COLOR_RGB2HSV)
    hsv[..., 1] = np.clip(hsv[..., 1] * np.float32(a) + np.float32(b), 0, 1)
    rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return to_uint8(rgb.astype(np.float32, copy=False).reshape(images.shape))
