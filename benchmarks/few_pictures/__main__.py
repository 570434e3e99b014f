"""``python -m benchmarks.few_pictures``."""

from benchmarks.few_pictures.command import main

main()
