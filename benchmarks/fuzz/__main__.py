"""Runs the command."""

from benchmarks.fuzz.command import main

main()
