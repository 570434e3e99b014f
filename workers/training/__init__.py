"""Weights: the loop, its recipe, pruning, quantization-aware training, checkpoints. What becomes
of them is for `workers/conversion`."""
