"""The errors that a user of gpucnn can cause, each told in one line.

The text of each names the thing, what was given, what is allowed, and what to do. A command prints
that line and exits with status 2; in Python they are caught as what they derive from.
"""


class GpucnnError(Exception):
    """What every error of this package derives from.

    Its text is one line that can be printed, whatever names and files it tells of hold.
    """

    def __str__(self) -> str:
        return printable(" ".join(super().__str__().splitlines()), LONGEST_LINE)


class InvalidValueError(GpucnnError, ValueError):
    """An argument whose value, shape or content cannot be used."""


class InvalidTypeError(GpucnnError, TypeError):
    """An argument of a type or dtype that cannot be used."""


class InvalidFileError(GpucnnError, ValueError):
    """A file that is missing, cut short, or not what it should be."""


class DeviceError(GpucnnError, RuntimeError):
    """A device that cannot be used, or fails."""


class DeviceMemoryError(DeviceError, MemoryError):
    """A device without enough memory."""


class ModelInUseError(GpucnnError, RuntimeError):
    """A model that cannot do what is asked of it while it does something else."""


class StoppedError(GpucnnError):
    """Ctrl-C, with what can be done about what it stopped."""


class TrainingError(GpucnnError, RuntimeError):
    """A training run that cannot go on, such as one whose loss is no longer a number."""


class GpucnnWarning(UserWarning):
    """What a user should know, and that stops nothing; a command prints it as one line."""


LONGEST = 300
"""The characters of foreign text that are printed."""


LONGEST_LINE = 1000
"""The characters of an error's text."""


def printable(foreign: object, longest: int = LONGEST) -> str:
    """Text from a file or a server, fit for a line of a message, whatever it holds.

    What a terminal would obey rather than show, such as an escape or the end of a line, is written
    as in Python's literals, and what is longer than `longest` characters is cut.
    """
    text = str(foreign)
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text[:longest]
    )
    return shown if len(text) <= longest else f"{shown}... ({len(text):,} characters)"
