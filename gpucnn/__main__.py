"""`python -m gpucnn`: the same as the command `gpucnn`."""

from gpucnn.commands.main import main

main()
