"""Pictures for the demo's products: generated, the same for the same name."""

from __future__ import annotations

import colorsys
from io import BytesIO
from random import Random
from typing import Final

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 480, 360
# Drawn larger and reduced, which smooths the edges.
_SCALE: Final = 2
_W, _H = WIDTH * _SCALE, HEIGHT * _SCALE

Color = tuple[int, int, int]


def draw_product(name: str) -> bytes:
    """Draw the picture of a product of this name: a JPEG."""
    rng = Random(name)  # noqa: S311 (a pattern, no secret)  # nosec B311
    hue = rng.random()
    image = _gradient(_color(hue, 0.30, 0.97), _color(hue + 0.08, 0.45, 0.80))
    palette = [_color(hue, 0.50, 0.68), _color(hue + 0.06, 0.42, 0.84), _color(hue + 0.14, 0.28, 0.96)]
    rng.choice((_circles, _hills, _tiles, _rays))(ImageDraw.Draw(image), rng, palette)
    buffer = BytesIO()
    image.reduce(_SCALE).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _color(hue: float, saturation: float, value: float) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def _gradient(top: Color, bottom: Color) -> Image.Image:
    mask = Image.linear_gradient("L").resize((_W, _H))
    return Image.composite(Image.new("RGB", (_W, _H), bottom), Image.new("RGB", (_W, _H), top), mask)


def _circles(draw: ImageDraw.ImageDraw, rng: Random, palette: list[Color]) -> None:
    for _ in range(9):
        x, y, radius = rng.randrange(_W), rng.randrange(_H), rng.randrange(_H // 12, _H // 4)
        draw.circle((x, y), radius, fill=rng.choice(palette))
        draw.circle((x, y), radius // 2, outline="white", width=3 * _SCALE)


def _hills(draw: ImageDraw.ImageDraw, rng: Random, palette: list[Color]) -> None:
    draw.circle((rng.randrange(_W // 5, _W * 4 // 5), _H // 4), _H // 9, fill="white")
    for row, color in enumerate(reversed(palette)):
        x, base = -_W // 4, _H * (4 + 2 * row) // 9
        while x < _W:
            width = rng.randrange(_W // 3, _W * 2 // 3)
            draw.ellipse((x, base - rng.randrange(_H // 9), x + width, _H * 2), fill=color)
            x += width // 2


def _tiles(draw: ImageDraw.ImageDraw, rng: Random, palette: list[Color]) -> None:
    side = _H // rng.choice((4, 6))
    for x in range(0, _W, side):
        for y in range(0, _H, side):
            turn = rng.choice((0, 90, 180, 270))
            cx, cy = x + side * (turn in {90, 180}), y + side * (turn in {180, 270})
            draw.pieslice((cx - side, cy - side, cx + side, cy + side), turn, turn + 90, fill=rng.choice(palette))


def _rays(draw: ImageDraw.ImageDraw, rng: Random, palette: list[Color]) -> None:
    centre, count, radius = (_W // 2, _H * 3 // 4), rng.choice((18, 24, 30)), _W
    box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
    for ray in range(0, count, 2):
        draw.pieslice(box, ray * 360 / count, (ray + 1) * 360 / count, fill=palette[1])
    draw.circle(centre, _H // 4, fill=palette[2])
    draw.circle(centre, _H // 6, fill="white")
