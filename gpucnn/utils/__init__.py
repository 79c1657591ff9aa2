"""Shared helpers: argument checks, atomic file writes, caches and locks, JSON configurations."""
