"""The pictures that the program draws itself, a test bed for want of photos. It knows nothing of
tasks."""
