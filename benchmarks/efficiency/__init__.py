"""How soon a front is there, beside random search, plain Optuna, Ray Tune and KerasTuner."""
