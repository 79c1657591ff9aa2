"""Training on batches that are given one by one."""

from dataclasses import replace

from gpucnn.metrics import Evaluation, Measures
from gpucnn.models.data import ChunkLayout, Labelled
from gpucnn.models.replica import Replica
from gpucnn.models.training.arrays import chunk_of, data_of
from gpucnn.models.training.trainer import Trainer
from gpucnn.optimizers import Optimizer


class BatchTrainer:
    """Takes a training step on each batch that it is given, in memory that it keeps.

    Worker processes take no part: to begin and to end their lease for each step would take longer
    than small steps do.

    Args:
        replica: to be trained.
        optimizer: placed for the replica's parameters.
        layout: of a batch, the largest that it is given.
        measures: what is measured besides the loss.

    Attributes:
        optimizer: as given.
    """

    def __init__(
        self, replica: Replica, optimizer: Optimizer, layout: ChunkLayout, measures: Measures
    ) -> None:
        self.optimizer, self._layout, self._backend = optimizer, layout, replica.backend
        arrays = {name: replica.backend.empty(*kind) for name, kind in layout.kinds.items()}
        self._chunk = chunk_of("", layout, arrays, replica)
        data = data_of("", arrays, replica)
        self._trainer = Trainer(replica, optimizer, data, layout.images, measures=measures)

    def takes(self, layout: ChunkLayout) -> bool:
        """Whether there is memory for a batch of a layout."""
        size = self._layout.batch_size
        return layout.batch_size <= size and replace(layout, batch_size=size) == self._layout

    def step(self, batch: Labelled, *, run_eagerly: bool = False) -> Evaluation:
        """Take a training step.

        Args:
            batch: checked, of the layout or with fewer images.
            run_eagerly: see `Trainer`.

        Returns:
            What is measured of the batch, the mean loss first, before the update.
        """
        self._trainer.run_eagerly = run_eagerly
        for part in self._chunk.parts([batch]):
            self._trainer.begin_part(part)
            with self._backend.session():
                self._trainer.run([0])
        return self._trainer.means()
