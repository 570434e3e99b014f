"""`python -m benchmarks.efficiency`."""

from benchmarks.efficiency.command import main

main()
