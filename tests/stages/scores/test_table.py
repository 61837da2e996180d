import csv

from stages.scores.figures import split_scores
from stages.scores.table import per_class_csv, scores_table
from stages.summary.table import WIDTH
from tests.stages.scores.predicted import predictions_of
from tests.stages.scores.test_figures import NAMES, RIGHT, scores

SCORES = split_scores([scores(RIGHT, "train"), scores(predictions_of([[0, 1], [2]], 8), "val")], NAMES)


def test_every_split_has_a_row() -> None:
    lines = scores_table(SCORES, (), show_s3dis=False).splitlines()
    assert lines[0] == "predictions of the network: 2 scenes, 6 objects, 5 proposals"
    assert max(map(len, lines)) <= WIDTH
    rows = {tuple(line.split()) for line in lines}
    assert ("train", "1", "3", "3", "1.000", "1.000", "1.000", "1.000", "1.000") in rows
    assert ("train", "2", "1.000", "1.000", "1.000", "1.000", "1.000") in rows
    (agnostic,) = [row for row in rows if row[:4] == ("val", "1", "3", "2")]
    assert agnostic[5:7] == ("0.333", "0.667")
    assert not any("mCov" in line for line in lines)


def test_classes_are_those_of_the_scenes_that_were_not_trained_on() -> None:
    table = scores_table(SCORES, (), show_s3dis=False)
    assert "classes of val" in table
    assert [line.split()[:3] for line in table.splitlines() if line.startswith("table")] == [["table", "1", "0.000"]]
    only_training = {"train": SCORES["train"]}
    assert "classes of train" in scores_table(only_training, (), show_s3dis=False)


def test_metrics_of_s3dis_on_request() -> None:
    table = scores_table(SCORES, (), show_s3dis=True)
    (row,) = [line for line in table.splitlines() if line.startswith("val, class-agnostic")]
    assert row.split()[2:] == ["0.500", "0.500", "1.000", "0.667"]


def test_warnings_are_told() -> None:
    assert scores_table(SCORES, ("no ground truth in 1 scenes",), show_s3dis=False).endswith(
        "warnings\n  no ground truth in 1 scenes\n"
    )


def test_nothing_to_compare_with() -> None:
    table = scores_table({}, (), show_s3dis=True)
    assert table == "predictions of the network: no scene with ground truth to compare with\n"
    assert per_class_csv({}).decode().count("\n") == 1


def test_rows_for_other_programs() -> None:
    rows = list(csv.DictReader(per_class_csv(SCORES).decode().splitlines()))
    assert [(row["split"], row["class"], row["objects"]) for row in rows] == [
        ("train", "all", "3"),
        ("train", "chair", "2"),
        ("train", "table", "1"),
        ("val", "all", "3"),
        ("val", "chair", "2"),
        ("val", "table", "1"),
    ]
    assert {row["ap"] for row in rows[:3]} == {"1.0"}
