"""The layers of which networks are made.

To add a layer, import it here: `LAYERS` and the names of `gpucnn` follow from the imports.
"""

from typing import TYPE_CHECKING

from gpucnn.layers.activations import ELU as ELU
from gpucnn.layers.activations import GELU as GELU
from gpucnn.layers.activations import LeakyReLU as LeakyReLU
from gpucnn.layers.activations import ReLU as ReLU
from gpucnn.layers.activations import Sigmoid as Sigmoid
from gpucnn.layers.activations import SiLU as SiLU
from gpucnn.layers.activations import Tanh as Tanh
from gpucnn.layers.affine import Affine as Affine
from gpucnn.layers.base import Batch as Batch
from gpucnn.layers.base import Layer as Layer
from gpucnn.layers.base import Step as Step
from gpucnn.layers.batch_normalization import BatchNormalization as BatchNormalization
from gpucnn.layers.dense import Dense as Dense
from gpucnn.layers.dropout import Dropout as Dropout
from gpucnn.layers.dropout import SpatialDropout2D as SpatialDropout2D
from gpucnn.layers.ends import Activation as Activation
from gpucnn.layers.ends import Input as Input
from gpucnn.layers.ends import Softmax as Softmax
from gpucnn.layers.fused import FusedConv2D as FusedConv2D
from gpucnn.layers.fused import FusedDense as FusedDense
from gpucnn.layers.fused import as_classifier as as_classifier
from gpucnn.layers.fused import fuse as fuse
from gpucnn.layers.fused import fuse_head as fuse_head
from gpucnn.layers.merging import Add as Add
from gpucnn.layers.merging import Concatenate as Concatenate
from gpucnn.layers.merging import MergingLayer as MergingLayer
from gpucnn.layers.merging import add as add
from gpucnn.layers.merging import concatenate as concatenate
from gpucnn.layers.preprocessing.augmentation import Augmentation as Augmentation
from gpucnn.layers.preprocessing.augmentation import RandomFlip as RandomFlip
from gpucnn.layers.preprocessing.augmentation import RandomTranslation as RandomTranslation
from gpucnn.layers.preprocessing.crop import RandomCrop as RandomCrop
from gpucnn.layers.preprocessing.erasing import RandomErasing as RandomErasing
from gpucnn.layers.preprocessing.mixing import CutMix as CutMix
from gpucnn.layers.preprocessing.mixing import MixingLayer as MixingLayer
from gpucnn.layers.preprocessing.mixing import MixUp as MixUp
from gpucnn.layers.preprocessing.rescaling import Normalization as Normalization
from gpucnn.layers.preprocessing.rescaling import Rescaling as Rescaling
from gpucnn.layers.preprocessing.rescaling import Scaling as Scaling
from gpucnn.layers.preprocessing.rescaling import (
    takes_bytes_as_they_are as takes_bytes_as_they_are,
)
from gpucnn.layers.preprocessing.tones import OfRange as OfRange
from gpucnn.layers.preprocessing.tones import RandomBrightness as RandomBrightness
from gpucnn.layers.preprocessing.tones import RandomContrast as RandomContrast
from gpucnn.layers.preprocessing.transforms import RandomRotation as RandomRotation
from gpucnn.layers.preprocessing.transforms import RandomShear as RandomShear
from gpucnn.layers.preprocessing.transforms import RandomZoom as RandomZoom
from gpucnn.layers.reshaping import Cropping2D as Cropping2D
from gpucnn.layers.reshaping import Flatten as Flatten
from gpucnn.layers.reshaping import Reshape as Reshape
from gpucnn.layers.reshaping import ZeroPadding2D as ZeroPadding2D
from gpucnn.layers.tensor import Tensor as Tensor
from gpucnn.layers.whole_batch import Sums as Sums
from gpucnn.layers.whole_batch import WholeBatchLayer as WholeBatchLayer
from gpucnn.layers.whole_batch import by_itself as by_itself
from gpucnn.layers.whole_batch import is_of_whole_batch as is_of_whole_batch
from gpucnn.layers.windowed.conv2d import Conv2D as Conv2D
from gpucnn.layers.windowed.depthwise_conv2d import DepthwiseConv2D as DepthwiseConv2D
from gpucnn.layers.windowed.pooling2d import AveragePooling2D as AveragePooling2D
from gpucnn.layers.windowed.pooling2d import GlobalAveragePooling2D as GlobalAveragePooling2D
from gpucnn.layers.windowed.pooling2d import GlobalMaxPooling2D as GlobalMaxPooling2D
from gpucnn.layers.windowed.pooling2d import MaxPool2D as MaxPool2D
from gpucnn.layers.windowed.separable_conv2d import SeparableConv2D as SeparableConv2D
from gpucnn.utils.keras import lacking
from gpucnn.utils.objects.config import configurable

AvgPool2D = AveragePooling2D
Convolution2D = Conv2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D
MaxPooling2D = MaxPool2D
SeparableConvolution2D = SeparableConv2D

LAYERS: tuple[type[Layer], ...] = configurable(globals(), Layer)
"""The layers that a model file may name."""

AUGMENTATION = tuple(
    each
    for each in LAYERS
    if issubclass(each, (Augmentation, MixingLayer)) and each is not RandomCrop
)
"""Those that vary images in training, and leave them as they are in use."""

if not TYPE_CHECKING:  # mypy would take any name for one of the module
    __getattr__ = lacking(__name__)
