"""Metrics that a model is compiled with, and what they are computed from."""

from typing import TYPE_CHECKING

from gpucnn.metrics.accuracy import Accuracy as Accuracy
from gpucnn.metrics.accuracy import BinaryAccuracy as BinaryAccuracy
from gpucnn.metrics.accuracy import CategoricalAccuracy as CategoricalAccuracy
from gpucnn.metrics.accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from gpucnn.metrics.accuracy import (
    SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy,
)
from gpucnn.metrics.accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from gpucnn.metrics.base import Metric as Metric
from gpucnn.metrics.classes import ConfusionMatrix as ConfusionMatrix
from gpucnn.metrics.classes import F1Score as F1Score
from gpucnn.metrics.classes import PerClass as PerClass
from gpucnn.metrics.classes import Precision as Precision
from gpucnn.metrics.classes import Recall as Recall
from gpucnn.metrics.classes import confusion_matrix as confusion_matrix
from gpucnn.metrics.classes import per_class as per_class
from gpucnn.metrics.errors import MeanAbsoluteError as MeanAbsoluteError
from gpucnn.metrics.errors import MeanSquaredError as MeanSquaredError
from gpucnn.metrics.labels import classes_of as classes_of
from gpucnn.metrics.measures import Evaluation as Evaluation
from gpucnn.metrics.measures import Measures as Measures
from gpucnn.metrics.names import KINDS_OF_METRIC as KINDS_OF_METRIC
from gpucnn.metrics.names import METRICS as METRICS
from gpucnn.metrics.names import MetricLike as MetricLike
from gpucnn.metrics.names import metrics_of as metrics_of
from gpucnn.utils.keras import lacking

if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
