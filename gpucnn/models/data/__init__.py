"""What a model is given to be trained on, to measure or to predict, before it is on a device."""

from gpucnn.models.data.labelled import Labelled as Labelled
from gpucnn.models.data.labelled import check_weights_of_images as check_weights_of_images
from gpucnn.models.data.labelled import split_validation as split_validation
from gpucnn.models.data.labelled import weights_by_class as weights_by_class
from gpucnn.models.data.labelled import with_weights as with_weights
