"""Odd inputs for everything that reads what strangers, providers or operators write."""
