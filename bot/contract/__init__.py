"""All that the author of a bridge reads, and nothing else.

Start with `bridge.Bridge`, then `messages`, `outcomes`, `intake`; prove the work with
`conformance`. This floor imports nothing of ours and must never do I/O.
"""
