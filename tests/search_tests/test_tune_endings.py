"""What the end of a Tune trial means, in a table."""
