"""Everything that decides, and nothing that does: no await, no clock, no I/O on this floor.

Production, the simulator and the tests run these same functions on frozen facts.
"""
