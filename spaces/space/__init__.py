"""What may vary: parameters, ranges, conditions, and the joint space of training and compression.
What to try next is for `search/sampling`."""
