"""In what order test files run (``pytest_collection_modifyitems`` in conftest)."""

from __future__ import annotations

# Test files of 20 CPU seconds and more, the longest first. Two files run at a time, each in one
# process; a long one that came last would leave the other core with nothing to do.
LONG_FILES = (
    "workers_tests/hypermodels/test_families.py",
    "search_tests/deploy/test_signals.py",
    "search_tests/ray_tune/test_tune_runs.py",
    "workers_tests/executors/test_executors.py",
    "search_tests/run/test_devices.py",
    "search_tests/test_readme.py",
    "workers_tests/hypermodels/test_as_written.py",
    "workers_tests/hypermodels/test_describe.py",
    "workers_tests/devices/test_device_trials.py",
    "benchmarks_tests/test_replay.py",
    "benchmarks_tests/test_efficiency_live.py",
    "search_tests/study/test_identity.py",
    "workers_tests/deploy/test_retrain.py",
    "search_tests/sampling/test_gp_sampler.py",
    "workers_tests/conversion/test_convert_trials.py",
    "workers_tests/conversion/test_convert.py",
    "search_tests/cli/test_cli.py",
    "workers_tests/conversion/test_single_images.py",
    "search_tests/cli/test_study_commands.py",
    "workers_tests/conversion/test_float_operations.py",
    "workers_tests/hypermodels/test_guide_models.py",
)
