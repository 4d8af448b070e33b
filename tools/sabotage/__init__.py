"""`make sabotage`: each guard is taken out once, by one line, and a test must see it."""
