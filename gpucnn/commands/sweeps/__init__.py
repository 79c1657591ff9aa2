"""Sweeps: trainings of one recipe with several seeds, each in a process of its own."""

from gpucnn.commands.sweeps.result import Result
from gpucnn.commands.sweeps.seeds import parse_seeds
from gpucnn.commands.sweeps.slots import Slot, find_slots
from gpucnn.commands.sweeps.sweep import Sweep

__all__ = ["Result", "Slot", "Sweep", "find_slots", "parse_seeds"]
