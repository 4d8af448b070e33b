"""Stand-ins for the outside world, built by the same `build.rooms` as production."""
