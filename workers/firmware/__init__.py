"""A model as a firmware engineer wants it: C sources, a reference, the way of a camera frame."""
