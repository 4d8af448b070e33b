"""The flood's leader: looks at the counts that intake wrote, tells everybody what it saw.

One process leads (on SQLite the only one). `look` is one round, `memory` what is kept over a
restart, `rows` the statements. Must not decide: `policy.flood` does; must not see a text.
"""
