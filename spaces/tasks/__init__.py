"""What `search run` names: a model, its data, what may vary. What varies in training and
compression is for `spaces/space`."""
