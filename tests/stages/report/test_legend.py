import numpy as np
from PIL import Image

from stages.report.colors import SOURCES, UNCERTAINTY
from stages.report.legend import with_legend
from stages.structures import LabelSource


def colors_below(image: Image.Image, height: int) -> set[tuple[int, ...]]:
    return {tuple(color) for color in np.asarray(image)[height:].reshape(-1, 3).tolist()}


def test_the_scale_of_uncertainty_runs_from_end_to_end() -> None:
    image = with_legend(Image.new("RGB", (500, 50), "white"), "uncertainty", np.zeros(0, np.uint8))
    assert {UNCERTAINTY[0][1], UNCERTAINTY[-1][1]} <= colors_below(image, 50)


def test_sources_that_occur_are_named() -> None:
    source = np.array([LabelSource.GP, LabelSource.HUMAN, LabelSource.GP], np.uint8)
    found = colors_below(with_legend(Image.new("RGB", (500, 50), "white"), "source", source), 50)
    assert {SOURCES[LabelSource.GP], SOURCES[LabelSource.HUMAN]} <= found
    assert SOURCES[LabelSource.TRUTH] not in found


def test_other_colors_need_no_legend() -> None:
    image = Image.new("RGB", (50, 50), "white")
    assert with_legend(image, "label", np.zeros(1, np.uint8)) is image
