"""Our tasks as trainables of Ray Tune. Studies under Ray Tune are for `search/ray_tune`."""
