"""The picture of the README: one scan with its boxes, its labels and their uncertainty, and the truth.

boxgp run demo && python docs/picture.py outputs/demo room_0001 docs/room.png
"""

from __future__ import annotations

import sys

from PIL import Image, ImageDraw, ImageFont

from pipeline.results import results_of
from stages.report.camera import CAMERAS
from stages.report.render_command import scene_picture

PANELS = {
    "rgb": "in: a scan and its boxes",
    "label": "out: one mask an object",
    "uncertainty": "out: uncertainty",
    "truth": "the truth, for comparison",
}
COLUMNS, WIDTH, TITLE, GAP = 2, 408, 28, 12


def main() -> None:
    """Draws one scene of a run in four ways."""
    run, scene, target = sys.argv[1:]
    results = results_of(run)
    panels = [scene_picture(results, scene, CAMERAS["corner"], color, WIDTH) for color in PANELS]
    rows = [panels[first : first + COLUMNS] for first in range(0, len(panels), COLUMNS)]
    heights = [TITLE + max(panel.height for panel in row) for row in rows]
    picture = Image.new("RGB", (COLUMNS * (WIDTH + GAP) - GAP, sum(heights)), "white")
    for place, (panel, title) in enumerate(zip(panels, PANELS.values(), strict=True)):
        left, top = place % COLUMNS * (WIDTH + GAP), sum(heights[: place // COLUMNS])
        picture.paste(panel, (left, top + TITLE))
        middle = (left + WIDTH // 2, top + TITLE // 2)
        ImageDraw.Draw(picture).text(middle, title, fill="black", font=ImageFont.load_default(15), anchor="mm")
    picture.quantize(112, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main()
