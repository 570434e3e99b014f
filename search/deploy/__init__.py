"""What is done with a point: export, retraining, its report, classifying with it."""
