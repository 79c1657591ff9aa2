"""The formats in which datasets are passed around, each read and checked by a file of its own."""
