"""What may vary, on which data, and what is measured."""
