"""What a search finds where there are few pictures: measured on many that it never saw."""
