"""Inbound messages -> one transaction: dedupe, facts, decision, outbox, counters, events.

`door` collects what waits into micro-batches, `fold` decides a batch in order, `load` and
`save` are its set-wise statements, `merge` joins two persons found to be one. Must not send
anything, and must not know any network but by its name.
"""
