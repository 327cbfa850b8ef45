"""The demo's product images: simple SVG illustrations, drawn with Pillow.

Pillow cannot read SVG. The illustrations use only `rect`, `ellipse`, `polygon` and `polyline`, with a fill or a round
stroke, on a canvas of 160 by 120 units.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET  # nosec B405 (files of this repository)

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 640, 480
# Drawn larger and reduced, which smooths the edges.
_OVERSAMPLING: Final = 2
_UNIT: Final = WIDTH * _OVERSAMPLING / 160
_FOLDER: Final = Path(__file__).parent / "illustrations"


def draw(illustration: str) -> bytes:
    """Return the JPEG of an illustration, like "camera"."""
    image = Image.new("RGB", (WIDTH * _OVERSAMPLING, HEIGHT * _OVERSAMPLING))
    canvas = ImageDraw.Draw(image)
    for shape in ET.parse(_FOLDER / f"{illustration}.svg").getroot():  # noqa: S314  # nosec B314 (as above)
        _draw_shape(canvas, shape.tag.rpartition("}")[2], shape.attrib)
    buffer = BytesIO()
    image.reduce(_OVERSAMPLING).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _draw_shape(canvas: ImageDraw.ImageDraw, tag: str, shape: dict[str, str]) -> None:
    def pixels(name: str) -> float:
        return float(shape.get(name, 0)) * _UNIT

    fill = None if shape["fill"] == "none" else shape["fill"]
    stroke, width = shape.get("stroke"), round(pixels("stroke-width"))
    if tag == "rect":
        x, y = pixels("x"), pixels("y")
        canvas.rounded_rectangle((x, y, x + pixels("width"), y + pixels("height")), pixels("rx"), fill=fill)
    elif tag == "ellipse":
        x, y, rx, ry = pixels("cx"), pixels("cy"), pixels("rx") + width / 2, pixels("ry") + width / 2
        canvas.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill, outline=stroke, width=width)
    else:
        points = [
            (float(x) * _UNIT, float(y) * _UNIT) for x, y in (pair.split(",") for pair in shape["points"].split())
        ]
        if tag == "polygon":
            canvas.polygon(points, fill=fill)
        else:
            canvas.line(points, fill=stroke, width=width, joint="curve")
            for point in points:
                canvas.circle(point, width / 2, fill=stroke)
