"""Faults, injected at random moments into searches, and what they cost: nothing may be lost."""
