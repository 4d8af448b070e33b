"""docs/reliability.md: written from what the proofs left behind, never by hand."""
