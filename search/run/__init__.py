"""The loop of a run and what surrounds it. What it shows is for `search/cli`."""
