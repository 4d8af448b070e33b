"""Speed, measured on this machine: `python -m bench` or `make bench`. Ratios before figures."""
