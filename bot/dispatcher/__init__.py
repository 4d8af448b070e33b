"""Due replies: `claim` and reserve, `loop` sends, `record` what came of it.

Must not decide (policy does), must not know prices (bridges quote), and must never send again
what may have gone out.
"""
