"""The durable floor: tables, transactions, migrations, and the vault that hides addresses."""
