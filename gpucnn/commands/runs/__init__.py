"""Training runs in a folder: a checkpoint and a history after each epoch, resumable at any time."""

from gpucnn.commands.runs.folder import CHECKPOINT, HISTORY, model_name
from gpucnn.commands.runs.history import read_config
from gpucnn.commands.runs.run import Run

__all__ = ["CHECKPOINT", "HISTORY", "Run", "model_name", "read_config"]
