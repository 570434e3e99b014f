"""What quiet windows do to measured latencies."""
