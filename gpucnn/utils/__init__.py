"""What all of the package uses: argument checks, files that appear whole, JSON, locks."""
