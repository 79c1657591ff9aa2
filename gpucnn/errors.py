"""The package's errors, each with a message of one line.

A message names the thing, what was given, what is allowed, and what to do. A command prints it and
exits with status 2. In Python each error is also a built-in one, such as a ValueError.
"""


class GpucnnError(Exception):
    """The base class of the package's errors.

    As text it is one printable line, whatever file names and foreign text the message contains.
    """

    def __str__(self) -> str:
        return printable(" ".join(super().__str__().splitlines()), LONGEST_LINE)


class InvalidValueError(GpucnnError, ValueError):
    """An argument with an invalid value, shape or content."""


class InvalidTypeError(GpucnnError, TypeError):
    """An argument of an invalid type or dtype."""


class NotRegisteredError(InvalidValueError):
    """A saved model that names a class or a function which this program does not know.

    Args:
        name: of the class or the function, as the model gives it.
    """

    def __init__(self, name: object) -> None:
        super().__init__(
            f"{printable(name, LONGEST_NAME)} is neither in gpucnn nor registered: import the file "
            "that defines it, with @gpucnn.utils.register before its class or def"
        )


class MissingNameError(GpucnnError, AttributeError):
    """A name of Keras's that the library has not."""


class MissingImportError(GpucnnError, ImportError):
    """The same, where the name is imported."""


class MissingModuleError(MissingImportError, ModuleNotFoundError):
    """A module of Keras's or CuPy's that is not there."""


def installing(extra: str) -> str:
    """The command that installs an extra, of a gpucnn from a registry or of one from a clone."""
    return f"pip install 'gpucnn[{extra}]'"


class MissingExtraError(GpucnnError, ImportError):
    """A package that is not installed, of an extra of gpucnn's.

    Args:
        needing: what needs it.
        package: its name.
        extra: that installs it.
    """

    def __init__(self, needing: str, package: str | None, extra: str) -> None:
        super().__init__(f"{needing} needs {package}, which is not installed: {installing(extra)}")


class InvalidFileError(GpucnnError, ValueError):
    """A file that is missing, truncated, or of another format or content than expected."""


class DeviceError(GpucnnError, RuntimeError):
    """A device that does not exist, cannot be used, or failed."""


class DeviceMemoryError(DeviceError, MemoryError):
    """A device that ran out of memory."""


class RankLostError(DeviceError):
    """Another rank has failed or was killed, and without it this one cannot go on."""


class ModelInUseError(GpucnnError, RuntimeError):
    """A model that was called while another call of it was in progress."""


class StoppedError(GpucnnError):
    """Ctrl-C stopped a command; the message says how to continue."""


class TrainingError(GpucnnError, RuntimeError):
    """Training that cannot continue, for example because its loss is no longer finite."""


class GpucnnWarning(UserWarning):
    """A warning to the user; a command prints it as one line."""


LONGEST = 300
"""Characters of foreign text in a message, at most."""


LONGEST_NAME = 50
"""Characters of a foreign name in a message, at most."""


LONGEST_LINE = 950
"""Characters of a message, at most; 1,000 with the note of how long it was."""


def printable(foreign: object, longest: int = LONGEST) -> str:
    """Foreign text, such as a file's or a server's, made safe to print in one line.

    Control characters and other unprintable ones are escaped as in Python's string literals; text
    of more than `longest` characters is cut, and its length appended.
    """
    text = str(foreign)
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text[:longest]
    )
    return shown if len(text) <= longest else f"{shown}... ({len(text):,} characters)"
