"""Functions as a callback."""

from collections.abc import Callable

from gpucnn.callbacks.base import Callback, Logs
from gpucnn.utils import arguments


class LambdaCallback(Callback):
    """Calls functions.

    Args:
        on_epoch_begin: called with the epoch, from 0, and a dictionary.
        on_epoch_end: called with the epoch, from 0, and its metrics.
        on_train_begin: called with a dictionary.
        on_train_end: called with the metrics of the last epoch.
        on_test_begin: called with a dictionary, before the validation of an epoch.
        on_test_end: called with the metrics of the validation.

    Raises:
        InvalidValueError: one is no function.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, Logs], None] | None = None,
        on_epoch_end: Callable[[int, Logs], None] | None = None,
        on_train_begin: Callable[[Logs], None] | None = None,
        on_train_end: Callable[[Logs], None] | None = None,
        *,
        on_test_begin: Callable[[Logs], None] | None = None,
        on_test_end: Callable[[Logs], None] | None = None,
    ) -> None:
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_test_begin": on_test_begin,
            "on_test_end": on_test_end,
        }
        for name, call in given.items():
            if call is not None:
                setattr(self, name, arguments.function(call, name))
