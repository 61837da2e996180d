"""What a user calls a license, what the card says, and what Croissant's readers are told."""

import pytest

from stages.release.licenses import license_of


@pytest.mark.parametrize(
    ("given", "card", "croissant"),
    [
        ("cc-by-4.0", {"license": "cc-by-4.0"}, "https://spdx.org/licenses/CC-BY-4.0.html"),
        ("CC-BY-NC-SA-4.0", {"license": "cc-by-nc-sa-4.0"}, "https://spdx.org/licenses/CC-BY-NC-SA-4.0.html"),
        ("mit", {"license": "mit"}, "https://spdx.org/licenses/MIT.html"),
        ("odbl", {"license": "odbl"}, "https://spdx.org/licenses/ODbL-1.0.html"),
        ("ODC-By-1.0", {"license": "odc-by"}, "https://spdx.org/licenses/ODC-By-1.0.html"),
        ("Our Lab's Terms", {"license": "other", "license_name": "our-lab-s-terms"}, "Our Lab's Terms"),
        (None, {"license": "unknown"}, None),
        ("unknown", {"license": "unknown"}, None),
    ],
)
def test_one_license_in_three_languages(given: str | None, card: dict[str, str], croissant: str | None) -> None:
    found = license_of(given)
    assert found.card == card
    assert found.croissant == croissant
