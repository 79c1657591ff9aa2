from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from expect import refusal
from gpucnn.utils import arguments

NAN, INF = float("nan"), float("inf")
NOT_WHOLE_POSITIVE = [0, -1, 1.0, 2.5, "3", None, True, NAN, [3]]


def refuses(check: Callable[..., Any], value: Any, allowed: str, *more: Any) -> None:
    """Expect an error of one line with the name, the value and what is `allowed`."""
    with refusal(f"thing is {value!r}: {allowed}"):
        check(value, "thing", *more)


class TestPositiveInteger:
    @pytest.mark.parametrize("value", [1, 7, 10**20, np.int64(7), np.uint8(7)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.positive_integer(value, "thing")
        assert (taken, type(taken)) == (value, int)

    @pytest.mark.parametrize("value", NOT_WHOLE_POSITIVE)
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.positive_integer, value, "it must be a whole number of at least 1")


class TestPositivePair:
    @pytest.mark.parametrize(
        ("value", "pair"),
        [(3, (3, 3)), ((3, 5), (3, 5)), ([1, 2], (1, 2)), (np.int32(4), (4, 4))],
    )
    def test_takes(self, value: Any, pair: tuple[int, int]) -> None:
        assert arguments.positive_pair(value, "thing") == pair

    @pytest.mark.parametrize(
        "value", [*NOT_WHOLE_POSITIVE, (), (1, 2, 3), (0, 1), (1, 0), (1, 2.0), "12", {1, 2}]
    )
    def test_refuses(self, value: Any) -> None:
        allowed = "it must be a whole number of at least 1, or a pair of them"
        refuses(arguments.positive_pair, value, allowed)


class TestSides:
    @pytest.mark.parametrize(
        ("value", "sides"),
        [
            (2, ((2, 2), (2, 2))),
            (0, ((0, 0), (0, 0))),
            ((1, 3), ((1, 1), (3, 3))),
            ([[1, 2], (0, np.int8(4))], ((1, 2), (0, 4))),
            ((1, (0, 2)), ((1, 1), (0, 2))),
        ],
    )
    def test_takes(self, value: Any, sides: tuple[tuple[int, int], ...]) -> None:
        taken = arguments.sides(value, "thing")
        assert taken == sides
        assert {type(each) for pair in taken for each in pair} == {int}

    @pytest.mark.parametrize(
        "value", [-1, 1.0, None, True, "12", (), (1,), (1, -1), (1, 2, 3), ((1, 2), (3,))]
    )
    def test_refuses(self, value: Any) -> None:
        allowed = (
            "it must be a whole number of at least 0, a pair of them, or "
            "((top, bottom), (left, right))"
        )
        refuses(arguments.sides, value, allowed)


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "numbers"),
        [(2, 2.0), (np.float32(0.5), 0.5), ([1, 2.5], (1.0, 2.5)), (np.array([3, 4]), (3.0, 4.0))],
    )
    def test_takes(self, value: Any, numbers: Any) -> None:
        taken = arguments.numbers(value, "thing")
        assert taken == numbers
        assert type(taken) is type(numbers)

    @pytest.mark.parametrize("value", [None, True, "1", [], (), [1, NAN], [[1]], INF])
    def test_refuses(self, value: Any) -> None:
        allowed = "it must be a number, or a list with one for each channel"
        refuses(arguments.numbers, value, allowed)


class TestFactor:
    @pytest.mark.parametrize(
        ("value", "factor"),
        [(0, (0, 0)), (0.5, (-0.5, 0.5)), (-1, (-1, 1)), ((-0.5, 0.25), (-0.5, 0.25))],
    )
    def test_takes(self, value: Any, factor: tuple[float, float]) -> None:
        assert arguments.factor(value, "thing") == factor

    @pytest.mark.parametrize("value", [1.1, (0.2, 0.1), (0,), (-2, 0), (0, 2), None, True, "0.1"])
    def test_refuses(self, value: Any) -> None:
        allowed = "it must be a number from -1 to 1, or a pair of them, the lower first"
        refuses(arguments.factor, value, allowed)


class TestNumber:
    @pytest.mark.parametrize("value", [-1, 0, 0.5, np.float32(0.5)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.number(value, "thing")
        assert (taken, type(taken)) == (value, float)

    @pytest.mark.parametrize("value", [NAN, INF, "1", None, True, 1j])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.number, value, "it must be a number")


class TestText:
    def test_takes(self) -> None:
        assert arguments.text("", "thing") == ""
        assert arguments.character(";", "thing") == ";"

    @pytest.mark.parametrize("value", [None, 3, b"a"])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.text, value, "it must be a text")

    refuses(arguments.text, "a\ud800", "it must be a text of whole characters, as UTF-8 has them")

    @pytest.mark.parametrize("value", ["", "ab", None, 3])
    def test_refuses_other_than_a_character(self, value: Any) -> None:
        refuses(arguments.character, value, "it must be a single character")


class TestPositiveNumber:
    @pytest.mark.parametrize("value", [1, 0.5, 1e-300, np.float32(0.5)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.positive_number(value, "thing")
        assert (taken, type(taken)) == (value, float)

    @pytest.mark.parametrize("value", [0, -1e-300, NAN, INF, "1", None, True, 1j])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.positive_number, value, "it must be a number above 0")


class TestNonNegativeNumber:
    @pytest.mark.parametrize("value", [0, 0.0, 3, 1e-300])
    def test_takes(self, value: Any) -> None:
        taken = arguments.non_negative_number(value, "thing")
        assert (taken, type(taken)) == (value, float)

    @pytest.mark.parametrize("value", [-1, -1e-300, NAN, INF, "0", None, False])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.non_negative_number, value, "it must be a number of at least 0")


class TestShare:
    @pytest.mark.parametrize("value", [0, 0.5, 0.999])
    def test_takes(self, value: Any) -> None:
        taken = arguments.share(value, "thing")
        assert (taken, type(taken)) == (value, float)

    @pytest.mark.parametrize("value", [1, 1.0, -0.1, NAN, INF, "0.5", None, False])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.share, value, "it must be at least 0 and below 1")


class TestNonNegativeInteger:
    @pytest.mark.parametrize("value", [0, 1, np.int64(7)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.non_negative_integer(value, "thing")
        assert (taken, type(taken)) == (value, int)

    @pytest.mark.parametrize("value", [-1, 0.0, "0", None, False])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.non_negative_integer, value, "it must be a whole number of at least 0")


class TestFlag:
    @pytest.mark.parametrize("value", [True, False, np.True_])
    def test_takes(self, value: Any) -> None:
        taken = arguments.flag(value, "thing")
        assert (taken, type(taken)) == (value, bool)

    @pytest.mark.parametrize("value", [0, 1, "yes", None])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.flag, value, "it must be True or False")


class TestSeed:
    @pytest.mark.parametrize("value", [0, 1, 2**64 - 1, np.uint64(2**64 - 1)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.seed(value)
        assert (taken, type(taken)) == (value, int)

    @pytest.mark.parametrize("value", [-1, 2**64, 1.0, "1", None, True])
    def test_refuses(self, value: Any) -> None:
        with refusal(f"seed is {value!r}: it must be a whole number, 0 to 2^64 - 1"):
            arguments.seed(value)


class TestImageShape:
    @pytest.mark.parametrize("value", [(28, 28, 1), [28, 28], (np.int64(5),)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.image_shape(value, "thing")
        assert (taken, type(taken[0])) == (tuple(value), int)

    @pytest.mark.parametrize("value", [28, (), (28, 0), (28, -1), (28.0, 28), "28", None])
    def test_refuses(self, value: Any) -> None:
        allowed = "give the shape of one image, such as (28, 28, 1)"
        refuses(arguments.image_shape, value, allowed)


class TestTargetShape:
    @pytest.mark.parametrize("value", [(28, 28, 1), [-1], (np.int64(5), -1)])
    def test_takes(self, value: Any) -> None:
        taken = arguments.target_shape(value, "thing")
        assert (taken, type(taken[0])) == (tuple(value), int)

    @pytest.mark.parametrize("value", [28, (), (28, 0), (-1, -1), (28.0, 28), "28", None, (-2,)])
    def test_refuses(self, value: Any) -> None:
        allowed = "give a shape such as (28, 28, 1), in which one size may be -1"
        refuses(arguments.target_shape, value, allowed)


class TestOneOf:
    @pytest.mark.parametrize("value", ["red", "green"])
    def test_takes(self, value: str) -> None:
        assert arguments.one_of(value, "thing", ("red", "green")) == value

    @pytest.mark.parametrize("value", ["blue", "Red", "", None, 1])
    def test_refuses(self, value: Any) -> None:
        refuses(arguments.one_of, value, "choose one of red, green", ("red", "green"))


class TestNameOf:
    allowed = ("he_normal", "mse", "f1_score", "adamw")

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            ("he_normal", "he_normal"),
            ("HeNormal", "he_normal"),
            ("MSE", "mse"),
            ("F1Score", "f1_score"),
            ("AdamW", "adamw"),
        ],
    )
    def test_takes(self, value: str, name: str) -> None:
        assert arguments.name_of(value, "thing", self.allowed) == name

    @pytest.mark.parametrize("value", ["he", "", "he-normal", None, 3, ["mse"]])
    def test_refuses(self, value: Any) -> None:
        allowed = "choose one of he_normal, mse, f1_score, adamw"
        refuses(arguments.name_of, value, allowed, self.allowed)
