"""SMS: one module a provider, each with its own `create`; they do not know each other."""
