"""What the colours of a picture mean, in a strip below it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stages.report.colors import SOURCES, uncertainty_colors
from stages.structures import LabelSource
from stages.typing import UInt8

_HEIGHT = 34
_SWATCH = 14
_BAR = 180
_INK = (27, 31, 36)
_FONT_SIZE = 15


def with_legend(image: Image.Image, color: str, source: UInt8[np.ndarray, " S"]) -> Image.Image:
    """The picture over the legend of ``uncertainty`` or of the sources that occur; of other colours, as it is."""
    if color not in {"uncertainty", "source"}:
        return image
    taller = Image.new("RGB", (image.width, image.height + _HEIGHT), (255, 255, 255))
    taller.paste(image)
    if color == "uncertainty":
        _scale(taller, image.height)
    else:
        _swatches(taller, image.height, [member for member in LabelSource if (source == member).any()])
    return taller


def _scale(image: Image.Image, top: int) -> None:
    values = np.linspace(0, 1, _BAR, dtype=np.float32)
    bar = np.repeat(uncertainty_colors(values)[None], _SWATCH, axis=0)
    left = _text(image, 16, top, "uncertainty   0 sure")
    image.paste(Image.fromarray(bar), (left, top + 6))
    _text(image, left + _BAR + 8, top, "1 unsure")


def _swatches(image: Image.Image, top: int, sources: list[LabelSource]) -> None:
    left = 16
    draw = ImageDraw.Draw(image)
    for member in sources:
        draw.rectangle((left, top + 6, left + _SWATCH, top + 6 + _SWATCH), fill=SOURCES[member])
        left = _text(image, left + _SWATCH + 6, top, member.name.lower().replace("_", " ")) + 10


def _text(image: Image.Image, left: int, top: int, words: str) -> int:
    """Writes and returns where the next thing may begin."""
    font = ImageFont.load_default(_FONT_SIZE)
    ImageDraw.Draw(image).text((left, top + 4), words, fill=_INK, font=font)
    return left + int(font.getlength(words)) + 8
