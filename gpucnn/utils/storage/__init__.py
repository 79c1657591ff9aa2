"""Files that the package keeps: whole or not there, in the user's cache folder."""
