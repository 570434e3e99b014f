"""Time on this machine, in quiet windows. Other machines are for `workers/devices`."""
