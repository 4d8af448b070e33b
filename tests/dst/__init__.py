"""Deterministic simulation: whole runs from one seed, with crashes and faults, judged from outside.

`python -m tests.dst --seeds 2000` (or `make dst`) plays them and prints what was injected; a
failing seed prints its history and can be played again alone.
"""
