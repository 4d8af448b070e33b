"""`make crash`: real processes killed under load, on a real SQLite file and PostgreSQL."""
