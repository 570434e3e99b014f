"""Runs the command."""

from benchmarks.scale.command import main

main()
