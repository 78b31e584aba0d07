"""Benchmarks: medians and ratios against a peer in the same run. Run `run.py` beside this file."""
