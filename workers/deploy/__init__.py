"""A configuration trained in full, compared and explained, and a deployed model in use."""
