"""Fits in files: what is written, and how it is read back; nothing is pickled."""
