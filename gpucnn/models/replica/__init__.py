"""Replicas: the layers of a model with parameters, gradients and buffers of their own.

Each rank, and each concurrent user of a model, computes with a replica.
"""

from gpucnn.models.replica.lane import has_plain_classes as has_plain_classes
from gpucnn.models.replica.layout import Parameter as Parameter
from gpucnn.models.replica.layout import in_layer_order as in_layer_order
from gpucnn.models.replica.layout import lay_out as lay_out
from gpucnn.models.replica.objective import Objective as Objective
from gpucnn.models.replica.replica import Replica as Replica
from gpucnn.models.replica.replica import split as split
