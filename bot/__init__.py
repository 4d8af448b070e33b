"""antirelou's one core: it decides, schedules, spends and moderates; `bridges/` only moves bytes.

The floors (who may import whom) are kept by import-linter; see docs/architecture.md.
"""
