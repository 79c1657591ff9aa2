"""What a model is given to be trained on, to measure or to predict, before it is on a device."""

from gpucnn.models.data.chunk import Chunk as Chunk
from gpucnn.models.data.chunk import ChunkLayout as ChunkLayout
from gpucnn.models.data.chunk import Part as Part
from gpucnn.models.data.labelled import Labelled as Labelled
from gpucnn.models.data.labelled import check_weights_of_images as check_weights_of_images
from gpucnn.models.data.labelled import count_images as count_images
from gpucnn.models.data.labelled import split_validation as split_validation
from gpucnn.models.data.labelled import weights_by_class as weights_by_class
from gpucnn.models.data.labelled import with_weights as with_weights
from gpucnn.models.data.labelled import without_labels as without_labels
from gpucnn.models.data.source import Arrays as Arrays
from gpucnn.models.data.source import Batches as Batches
from gpucnn.models.data.source import Source as Source
from gpucnn.models.data.source import naming as naming
from gpucnn.models.data.stream import Given as Given
from gpucnn.models.data.stream import Stream as Stream
from gpucnn.models.data.stream import is_stream as is_stream
from gpucnn.models.data.stream import refuse_with_arrays as refuse_with_arrays
from gpucnn.models.data.stream import refuse_with_batches as refuse_with_batches
