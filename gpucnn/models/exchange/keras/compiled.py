"""What a Keras model was compiled with, as far as gpucnn has it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from gpucnn.errors import InvalidTypeError, InvalidValueError
from gpucnn.layers import Layer
from gpucnn.losses import DEFAULT, LOSSES, Loss, loss_of
from gpucnn.metrics import KINDS_OF_METRIC, Measures, Metric, metrics_of
from gpucnn.models.exchange.imported import Compiled, loss_of_outputs
from gpucnn.models.exchange.keras.architecture import Config
from gpucnn.models.network import unroll
from gpucnn.models.replica import Objective
from gpucnn.optimizers import OPTIMIZERS, SCHEDULES, optimizer_of

T = TypeVar("T")


def compiled_of(config: Config | None, layers: Sequence[Layer]) -> Compiled:
    """What a model is compiled with here, so that it predicts what it does in Keras.

    What gpucnn has not, or refuses for these layers, is left out.

    Args:
        config: the configuration of `compile`; None if the model is not compiled.
        layers: of the model, built.
    """
    given = config or {}
    optimizer = _tried(lambda: optimizer_of(_made(given.get("optimizer"), OPTIMIZERS)))
    loss = _tried(lambda: _fitting(_loss(given.get("loss")), layers))
    loss = loss or loss_of_outputs(layers)
    outputs = unroll(layers)[-1].output_shape[0]
    return Compiled(optimizer, loss, _metrics(given.get("metrics"), loss or DEFAULT, outputs))


def _tried(make: Callable[[], T]) -> T | None:
    """What `make` returns, or None where it is not to be had here."""
    try:
        return make()
    except (AttributeError, InvalidTypeError, InvalidValueError, LookupError, TypeError):
        return None


def _loss(config: Any) -> Loss | None:
    losses = tuple(LOSSES.values())
    return None if config is None else loss_of(_made(config, losses))


def _fitting(loss: Loss | None, layers: Sequence[Layer]) -> Loss | None:
    """The loss, if it fits what the layers end in."""
    Objective.of(loss, layers)
    return loss


def _metrics(config: Any, loss: Loss, outputs: int) -> Sequence[Metric]:
    """The metrics that can be measured of the outputs with the loss."""
    found: list[Metric] = []
    for each in config if isinstance(config, list) else ():
        found += _tried(partial(_measured, each, loss, outputs)) or ()
    return found


def _measured(config: Any, loss: Loss, outputs: int) -> Sequence[Metric]:
    metrics = metrics_of([_made(config, KINDS_OF_METRIC)])
    Measures.of(metrics, loss, outputs)
    return metrics


def _made(config: Any, classes: Sequence[type[Any]]) -> Any:
    """The object of one of some classes that a configuration describes; a name as it is.

    Raises:
        KeyError: it describes one of another class.
    """
    if not isinstance(config, Mapping):
        return config
    if config["class_name"] == "function":
        return config["config"]
    kind = {each.__name__: each for each in classes}[config["class_name"]]
    arguments = dict(config["config"])
    if not issubclass(kind, Metric):
        arguments.pop("name", None)
    if "learning_rate" in arguments:
        arguments["learning_rate"] = _made(arguments["learning_rate"], SCHEDULES)
    return kind(**arguments)
