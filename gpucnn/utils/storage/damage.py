"""What libraries raise that read files which are damaged."""

import struct
import zlib
from tokenize import TokenError
from zipfile import BadZipFile

DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError),
    *(SyntaxError, TypeError, ValueError, BadZipFile, TokenError, struct.error, zlib.error),
)
"""Of zipfile, zlib, h5py, onnx and NumPy, and what follows from values that make no sense."""
