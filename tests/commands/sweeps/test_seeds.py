import pytest

from gpucnn.commands.sweeps import parse_seeds
from gpucnn.errors import InvalidValueError


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("7", [7]),
        ("0-3", [0, 1, 2, 3]),
        ("5-5", [5]),
        ("0,3,5-7", [0, 3, 5, 6, 7]),
        ("9, 1-2", [9, 1, 2]),
        (str(2**64 - 1), [2**64 - 1]),
    ],
)
def test_seeds_as_they_are_written(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "seeds is '': give numbers and ranges of them, such as 0-9 or 0,3,5-7"),
        ("many", "give numbers and ranges"),
        ("-1", "give numbers and ranges"),
        ("0,,1", "give numbers and ranges"),
        ("1.5", "give numbers and ranges"),
        ("\u0661", "give numbers and ranges"),
        ("3-1", "3-1 ends before it begins"),
        ("0-3,2", "2 is there twice"),
        ("4,4", "4 is there twice"),
        ("0-10000", "0-10000 are more than 10,000"),
        ("0-9999,10000", "those are more than 10,000"),
        (str(2**64), "seed is 18446744073709551616: it must be a whole number, 0 to 2^64 - 1"),
    ],
)
def test_seeds_that_are_none(text: str, why: str) -> None:
    with pytest.raises(InvalidValueError) as error:
        parse_seeds(text)
    assert why in str(error.value)
