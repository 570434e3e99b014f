"""One function in a process of its own. What it does there is for its caller to say."""
