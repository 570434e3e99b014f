"""Where trials run. Their contract, and the inline one, are in `workers/messages`."""
