"""The errors that a user of gpucnn can cause, each told in one line.

The text of each names the thing, what was given, what is allowed, and what to do. A command prints
that line and exits with status 2; in Python they are caught as what they derive from.
"""


class GpucnnError(Exception):
    """What every error of this package derives from."""


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
