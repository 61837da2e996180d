from stages.summary.costs import StageCost
from stages.summary.figures import pool_figures
from stages.summary.table import WIDTH, grid, number, summary_table
from tests.stages.summary.test_figures import HALF, LONG, MIXED, RIGHT, renamed

COSTS = [StageCost("posteriors", 3, 1.5, 2.0, 4.5, 300 * 2**20)]


def test_columns_are_aligned() -> None:
    assert grid([["name", "a", "long"], ["x" * 25, "1.000", "-"]]) == [
        "name" + " " * 21 + "      a  long",
        "x" * 25 + "  1.000     -",
    ]


def test_numbers() -> None:
    assert (number(0.12349), number(float("nan"))) == ("0.123", "-")


def test_every_section_and_no_line_too_long() -> None:
    long_name = renamed(MIXED, ("a very long name of a class of objects", "table"))
    text = summary_table(pool_figures([RIGHT, HALF, LONG, long_name]), COSTS, ["scene " * 40, "x" * 300], True)
    assert max(len(line) for line in text.splitlines()) <= WIDTH
    for heading in (
        "label quality",
        "masks as predictions",
        "S3DIS",
        "class",
        "contested regions",
        "decided by",
        "stage",
    ):
        assert any(line.startswith(heading) for line in text.splitlines()), heading
    assert "no ground truth in 1 scene\n" in text
    assert "300 MiB" in text


def test_figures_stand_in_their_rows() -> None:
    lines = summary_table(pool_figures([RIGHT]), [], [], False).splitlines()
    row = next(line for line in lines if line.startswith("pseudo-labels"))
    assert row.split() == ["pseudo-labels", *["1.000"] * 8]
    assert not any(line.startswith(("S3DIS", "warnings", "stage")) for line in lines)


def test_base_rate_stands_below_each_kind_where_there_are_two_rooms() -> None:
    def kinds(text: str) -> list[str]:
        lines = text.splitlines()
        first = next(index for index, line in enumerate(lines) if line.startswith("contested regions"))
        return [line.split("  ")[0].strip() or "base rate" for line in lines[first + 1 : lines.index("", first)]]

    one, two = (kinds(summary_table(pool_figures(scenes), [], [], False)) for scenes in ([RIGHT], [RIGHT, MIXED]))
    assert one[:3] == ["overlap", "background", "together"]
    assert two[:6] == ["overlap", "base rate", "background", "base rate", "together", "base rate"]


def test_without_truth_the_rest_is_shown() -> None:
    text = summary_table(pool_figures([HALF]), COSTS, [], False)
    assert "no ground truth in 1 scene\n" in text
    assert "posteriors" in text
    assert "single_box" in text
    assert "label quality" not in text
