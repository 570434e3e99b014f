"""`python -m benchmarks.faults`."""

from benchmarks.faults.command import main

main()
