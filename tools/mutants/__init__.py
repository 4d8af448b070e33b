"""`make mutants`: generated faults of policy, ledger, outbox and inbox, and who sees them."""
