import numpy as np
import pytest

from gpucnn.commands.tables.classes import MOST, print_classes

Text = pytest.CaptureFixture[str]


def test_each_class_has_a_line(capsys: Text) -> None:
    labels = np.array([0, 0, 0, 0, 2, 2])
    predicted = np.array([0, 2, 2, 1, 2, 2])
    print_classes(("cat", "dog", "e\nu"), labels, predicted)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading.split() == ["class", "images", "correct", "most", "often", "taken", "for"]
    assert [line.split() for line in lines] == [
        ["cat", "4", "1", "25.0%", r"e\nu", "2"],
        [r"e\nu", "2", "2", "100.0%"],
    ]


def test_labels_may_be_bytes(capsys: Text) -> None:
    labels = np.array([0, 25], np.uint8)
    print_classes([chr(97 + number) for number in range(26)], labels, labels.astype(np.int64))
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["a", "1", "1", "100.0%"],
        ["z", "1", "1", "100.0%"],
    ]


def test_of_many_classes_those_are_shown_that_are_recognised_worst(capsys: Text) -> None:
    names = [f"class-{number}" for number in range(40)]
    labels = np.arange(40)
    print_classes(names, labels, np.where(labels == 33, 5, labels))
    first, _, second, *others = capsys.readouterr().out.splitlines()
    assert first == "the 30 of 40 classes that are recognised worst"
    assert second.split() == ["class-33", "1", "0", "0.0%", "class-5", "1"]
    assert len(others) == MOST - 1
