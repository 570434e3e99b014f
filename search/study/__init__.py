"""A study opened for a run: what to start, asking and telling, keeping the front."""
