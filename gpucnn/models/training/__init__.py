"""Training a replica: steps, epochs and what they are measured by, alone or with workers."""

from gpucnn.models.training.history import EpochRecord as EpochRecord
from gpucnn.models.training.history import History as History
from gpucnn.models.training.history import check_finite as check_finite
from gpucnn.models.training.metrics import Metrics as Metrics
from gpucnn.models.training.metrics import evaluation as evaluation
from gpucnn.models.training.metrics import kinds_of_metrics as kinds_of_metrics
from gpucnn.models.training.trainer import STEPS_AT_ONCE as STEPS_AT_ONCE
from gpucnn.models.training.trainer import Trainer as Trainer
from gpucnn.models.training.trainer import epoch_order as epoch_order
