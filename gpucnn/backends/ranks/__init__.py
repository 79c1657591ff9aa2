"""Ranks: the processes of a program that `mpiexec` or `srun` has started several times."""
