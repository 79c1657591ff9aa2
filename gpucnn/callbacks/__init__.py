"""Callbacks: what is told of the course of a training, and may change or stop it."""

from typing import TYPE_CHECKING

from gpucnn.callbacks.base import Callback as Callback
from gpucnn.callbacks.base import Logs as Logs
from gpucnn.callbacks.base import Trained as Trained
from gpucnn.callbacks.callback_list import CallbackList as CallbackList
from gpucnn.callbacks.lambda_callback import LambdaCallback as LambdaCallback
from gpucnn.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from gpucnn.callbacks.learning_rate import ReduceLROnPlateau as ReduceLROnPlateau
from gpucnn.callbacks.loggers import CSVLogger as CSVLogger
from gpucnn.callbacks.model_checkpoint import ModelCheckpoint as ModelCheckpoint
from gpucnn.callbacks.stopping import EarlyStopping as EarlyStopping
from gpucnn.callbacks.stopping import TerminateOnNaN as TerminateOnNaN
from gpucnn.callbacks.tensorboard import TensorBoard as TensorBoard
from gpucnn.utils.keras import lacking

if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
