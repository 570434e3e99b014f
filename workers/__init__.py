"""One configuration becomes one measured model."""
