"""What a study costs as it grows."""
