"""A study as a search algorithm of Ray Tune."""
