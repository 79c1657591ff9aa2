import pytest

from gpucnn.errors import (
    LONGEST,
    LONGEST_LINE,
    DeviceMemoryError,
    GpucnnError,
    InvalidFileError,
    printable,
)


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        pytest.param("café 7", "café 7", id="what can be read"),
        pytest.param("\x1b[2Jgone", r"\x1b[2Jgone", id="an escape of a terminal"),
        pytest.param("two\nlines\r\x07", r"two\nlines\r\x07", id="lines and a bell"),
        pytest.param("\u202eback\u2028", r"\u202eback\u2028", id="direction and separator"),
        pytest.param("\ud800", r"\ud800", id="half a character"),
        pytest.param(ValueError("\x9b31m"), r"\x9b31m", id="an error"),
        pytest.param({"a": "\x1b"}, r"{'a': '\x1b'}", id="an object"),
    ],
)
def test_nothing_reaches_the_terminal_raw(foreign: object, shown: str) -> None:
    assert printable(foreign) == shown


def test_long_text_is_cut_and_its_length_told() -> None:
    assert printable("a" * LONGEST) == "a" * LONGEST
    assert printable("a" * 200_000) == "a" * LONGEST + "... (200,000 characters)"
    assert printable("abc", 2) == "ab... (3 characters)"


@pytest.mark.parametrize("kind", [GpucnnError, InvalidFileError, DeviceMemoryError])
def test_an_error_is_one_line_whatever_it_tells_of(kind: type[GpucnnError]) -> None:
    assert str(kind("there is no folder \x1b[31mred\n: give one")) == (
        r"there is no folder \x1b[31mred : give one"
    )
    assert LONGEST_LINE < len(str(kind("a" * 10**6))) <= 1000
