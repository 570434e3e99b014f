"""Which points are worth keeping, and which one to take. It reads, and never writes."""
