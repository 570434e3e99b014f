"""`python -m benchmarks.replay`."""

from benchmarks.replay.command import main

main()
