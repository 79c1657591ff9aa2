"""A run on other ranks than rank 0, which has its folder."""

from pathlib import Path
from tempfile import TemporaryDirectory

from gpucnn.applications import TrainConfig
from gpucnn.backends.ranks.world import World
from gpucnn.commands.runs.run import Run, start_workers
from gpucnn.models.model import Model
from gpucnn.models.training import EpochRecord


class Follower(Run):
    """The part in a run of a rank other than 0: it trains alike, and writes nothing.

    The state is what rank 0 sends, so that the run's folder need not be on this machine; the images
    are those of `config.data` here, which are checked to be the same when the training begins.
    """

    @classmethod
    def follow(cls, ranks: World) -> "Follower":
        """Wait for the run that rank 0 begins or resumes.

        Raises:
            RankLostError: rank 0 could not.
            InvalidFileError: the data cannot be used.
            DeviceError: the device cannot be used.
        """
        folder, config, state = ranks.gather(None)[0]
        start_workers(config)
        data = config.load_data()
        return cls(folder, config, _load(state, config), data)

    def _epoch_done(self, record: EpochRecord) -> None:
        self.history.epochs.append(record)


def lead(ranks: World, run: Run) -> None:
    """On rank 0: let the other ranks follow a run."""
    if ranks.size > 1:
        ranks.gather((run.folder, run.config, run.checkpoint.read_bytes()))


def _load(state: bytes, config: TrainConfig) -> Model:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.safetensors"
        file.write_bytes(state)
        device, _, _ = config.device.partition(":")  # each rank has a GPU of its own
        return Model.load(file, device, config.threads)
