"""Whether a run would work here: one finding a line, each with what to do about it."""
