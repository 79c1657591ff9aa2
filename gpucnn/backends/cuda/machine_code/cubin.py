"""Machine code of NVIDIA's GPUs as a file: a CUBIN, which is an ELF file of 64 bits."""

from struct import Struct, error

from gpucnn.errors import GpucnnError

_TABLE = Struct("<40xQ10x3H")  # of a file: where the sections' headers are, and whose are the names
_SECTION = Struct("<I20xQQ")  # of a section: its name among the names, its begin and size

_CODE = ".text."


def code_of_functions(machine_code: bytes) -> dict[str, bytes]:
    """The code of each function in a CUBIN, by its name.

    Raises:
        GpucnnError: it is no CUBIN.
    """
    if not machine_code.startswith(b"\x7fELF"):
        raise GpucnnError("this machine code cannot be read: it is no ELF file")
    try:
        table, size, count, names = _TABLE.unpack_from(machine_code)
        sections = [_SECTION.unpack_from(machine_code, table + i * size) for i in range(count)]
        names_begin = sections[names][1]
    except (error, IndexError, OverflowError) as reason:
        raise GpucnnError(f"this machine code cannot be read: {reason}") from reason
    named = {
        _text_at(machine_code, names_begin + name): machine_code[begin : begin + length]
        for name, begin, length in sections
    }
    return {
        name.removeprefix(_CODE): code for name, code in named.items() if name.startswith(_CODE)
    }


def _text_at(machine_code: bytes, begin: int) -> str:
    return machine_code[begin:].partition(b"\0")[0].decode(errors="replace")
