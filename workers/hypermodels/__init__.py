"""A person's `build(hp)` read: its space, its own compile and fit. Training it is for
`workers/training`."""
