"""What to try next: samplers, the initial design, branches. It knows no database."""
