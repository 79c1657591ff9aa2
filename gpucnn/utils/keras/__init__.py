"""What Keras has and this library has not: a line that names it, and says what to use instead.

It is for people who bring scripts along. `names` has the names of modules that are not there,
`arguments` those of functions; no other part of the library knows of what it has not.
"""

import sys
from collections.abc import Callable
from dis import opmap
from types import FrameType
from typing import NoReturn


def lacking(module: str) -> Callable[[str], NoReturn]:
    """The `__getattr__` of a module, which raises `missing`."""

    def refuse(name: str) -> NoReturn:
        raise missing(module, name, sys._getframe(1))

    return refuse


def missing(module: str, name: str, user: FrameType) -> Exception:
    """The error for a name that a module has not, with advice if the module of Keras has it.

    Args:
        module: its name, "gpucnn" or that of the one in Keras behind "gpucnn.".
        name: the name in it.
        user: the frame that asks for it.

    Returns:
        An AttributeError; or an ImportError where the name is imported: the text of the former
        would be replaced by one of Python's.
    """
    from gpucnn.errors import MissingImportError, MissingNameError
    from gpucnn.utils.keras.names import advice_on

    advice = None if name.startswith("_") else advice_on(module, name)
    if advice is None:
        return AttributeError(f"module {module!r} has no attribute {name!r}")
    is_import = user.f_code.co_code[user.f_lasti] == opmap["IMPORT_FROM"]
    return (MissingImportError if is_import else MissingNameError)(
        f"{module} has no {name}: {advice}"
    )


def refuse_module(package: str, name: str) -> None:
    """Raise the error for the import of a module that a package has not, if that of Keras has it.

    Args:
        package: its name, "gpucnn" or that of one within it.
        name: of the module in it.

    Raises:
        MissingModuleError: Keras has such a module.
    """
    from gpucnn.errors import MissingModuleError
    from gpucnn.utils.keras.names import advice_on

    advice = advice_on(package, name)
    if advice is not None:
        raise MissingModuleError(f"{package} has no {name}: {advice}", name=f"{package}.{name}")
