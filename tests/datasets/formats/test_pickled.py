import io
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.sample_cifar import python2_pickle
from gpucnn.datasets.formats.pickled import NAMES, read_pickle
from gpucnn.errors import InvalidFileError

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 12)
DATA = {b"data": ARRAY, b"labels": [1, 0], b"more": {b"a": (True, None, "\N{BULLET}")}}


def read(content: bytes) -> dict[str, Any]:
    return read_pickle(io.BytesIO(content), len(content), "<batch>")


def refused(content: bytes) -> str:
    """The reason for which a pickle is refused, in little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InvalidFileError) as caught:
            read(content)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20 + 200 * len(content)
    text = str(caught.value)
    assert text.startswith("<batch> is not a pickle of numbers and arrays alone (")
    assert text.isprintable()
    return text


def pickled(value: Any) -> bytes:
    return pickle.dumps(value, 2)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_what_python_3_pickles(protocol: int) -> None:
    content = read(pickle.dumps(DATA, protocol))
    np.testing.assert_array_equal(content["data"], ARRAY, strict=True)
    assert content["labels"] == [1, 0]
    assert content["more"] == {"a": (True, None, "\N{BULLET}")}


def test_what_python_2_pickled() -> None:
    large = np.arange(2**17, dtype=np.uint8).reshape(2, -1)
    content = read(python2_pickle({b"data": large, b"name": b"\xff", b"labels": [3]}))
    np.testing.assert_array_equal(content["data"], large, strict=True)
    assert content["data"].flags.owndata
    assert (content["name"], content["labels"]) == (b"\xff", [3])


def test_large_arrays_in_text() -> None:
    large = np.arange(2**18, dtype=np.uint8).reshape(2, -1)
    read_again = read(pickle.dumps({"data": large}, 0))["data"]
    np.testing.assert_array_equal(read_again, large, strict=True)


def test_what_python_2_pickled_in_text() -> None:
    text = b"(dp1\nS'label_names'\np2\n(lp3\nS'airplane'\np4\naS'auto\\x41'\np5\nas"
    text += b"S'count'\nI10000\ns."
    assert read(text) == {"label_names": [b"airplane", b"autoA"], "count": 10000}


class Calling:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self._called = function, arguments

    def __reduce__(self) -> Any:
        return self._called


@pytest.mark.parametrize(
    "function", [Path.touch, eval, exec, getattr, bytearray, np.zeros, np.load, pickle.loads]
)
def test_nothing_is_run(tmp_path: Path, function: Any) -> None:
    content = pickled({b"data": Calling(function, tmp_path / "harm")})
    assert "it names " in refused(content)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "program",
    [
        b"(S'id'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'id'\no.",  # OBJ
        b"cos\nsystem\n)\x81.",  # NEWOBJ
        b"cos\nsystem\n)}\x92.",  # NEWOBJ_EX
        b"\x82\x01.",  # EXT1
        b"Pid\n.",  # PERSID
        b"Nq\x01Q.",  # BINPERSID
        b"\x8f.",  # EMPTY_SET
        b"\x96" + struct.pack("<Q", 2**33),  # BYTEARRAY8
        b"\x8b" + struct.pack("<i", 2**31 - 1),  # LONG4
        b"N2.",  # DUP
    ],
)
def test_instructions_that_data_has_no_need_of(program: bytes) -> None:
    text = refused(program)
    assert "it has the instruction b" in text or "it names os.system" in text


@pytest.mark.parametrize("module", ["os", "numpy.core.multiarray", "builtins", "gpucnn"])
def test_names_are_those_of_arrays_alone(module: str) -> None:
    assert f"it names {module}.system" in refused(f"c{module}\nsystem\n.".encode())


@pytest.mark.parametrize(("module", "name"), list(NAMES))
def test_what_stands_for_numpy_cannot_be_changed(module: str, name: str) -> None:
    program = f"c{module}\n{name}\n".encode() + b"}U\x08__code__Nsb."
    assert "it changes something other than an array" in refused(program)


@pytest.mark.parametrize("length", [2**20, 2**31 - 1])
@pytest.mark.parametrize("code", [b"T", b"B", b"X", b"\x8e", b"\x95"])
def test_lengths_that_lie(code: bytes, length: int) -> None:
    size = struct.pack("<Q" if code in b"\x8e\x95" else "<i", length)
    refused(code + size + bytes(1000))


@pytest.mark.parametrize("code", [b"]", b"}", b"("])
def test_no_more_instructions_than_images_have_need_of(
    code: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gpucnn.datasets.formats.pickled.MOST_READS", 1000)
    assert "it holds too many things" in refused(1001 * code)


def test_memory_is_bounded_by_the_file() -> None:
    refused(b"Nr\xff\xff\xff\xff.")  # a place in a list of 2**32
    refused(b"I" + b"9" * 1_000_000 + b"\n.")  # whose decimals would take long to read


def test_no_text_is_copied_again_and_again() -> None:
    text = b"X" + struct.pack("<i", 50_000) + b"a" * 50_000 + b"q\x01"
    encoded = b"c_codecs\nencode\nh\x01U\x06latin1\x86R"
    refused(text + b"(" + encoded * 500 + b"l.")
    keys = b"(" + b"h\x01N" * 50 + b"d"
    assert "or a long one" in refused(text + keys * 50 + b".")
    array = python2_pickle({b"a": ARRAY})[6:-2]
    items = b"".join(b"U\x03%03d" % each + array[3:] for each in range(17))
    assert "it holds too many arrays" in refused(b"}(" + items + b"u.")


def test_dictionaries_have_keys_of_text() -> None:
    assert "a key is a tuple, or a long one" in refused(b"}" + b")" + b"\x85" * 100_000 + b"Ns.")
    assert "a key is a int" in refused(b"(I1\nNd.")
    refused(b"(NNNd.")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), np.int8),
        np.zeros((2, 3), np.float32),
        np.array([None]),
        np.zeros((2, 3), np.uint8, order="F"),
        np.zeros((1, 1, 1, 1, 1), np.uint8),
    ],
)
def test_arrays_of_other_kinds(array: Any) -> None:
    refused(pickled({b"data": array}))


@pytest.mark.parametrize("shape", [(b"ab", 10**9), (10**9, 10**9), (-1, 24), (2.0, 12), 24, (7,)])
def test_arrays_whose_shape_lies(shape: Any) -> None:
    said = b"cnumpy.core.multiarray\n_reconstruct\n(NNNtR("
    said += pickled(1)[2:-1] + pickled(shape)[2:-1]
    said += b"cnumpy\ndtype\n(U\x02u1tR" + b"\x89U\x18" + bytes(24) + b"tb."
    refused(b"}U\x04data" + said[:-1] + b"s.")


def test_a_pickle_of_something_else() -> None:
    assert "it holds a list" in refused(pickled([1]))
    assert "it is cut short" in refused(b"")
    refused(b"<html>")
    refused(b"\x80\x05.")
