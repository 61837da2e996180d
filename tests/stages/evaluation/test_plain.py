import json

import numpy as np

from stages.evaluation.plain import comma_separated, plain


def test_whatever_json_does_not_know_becomes_what_it_knows() -> None:
    values = plain({"a": (1.5, float("nan")), "b": {"c": np.array([[1.0, np.nan]])}, "d": "nan", "e": True, "f": None})
    assert values == {"a": [1.5, None], "b": {"c": [[1.0, None]]}, "d": "nan", "e": True, "f": None}
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_cells_without_a_number_are_empty() -> None:
    lines = comma_separated(["name", "ap"], [("a, b", 0.5), ("c", float("nan"))])
    assert lines == b'name,ap\n"a, b",0.5\nc,\n'
