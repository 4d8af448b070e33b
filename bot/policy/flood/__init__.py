"""The flood's signals, as pure functions: `words` of a text, `topics` shared by many, `pacing`.

Counts and not texts go in: words are keyed hashes before they reach this package's callers'
tables. Must not know a phrase, a number or an hour of any recording.
"""
