"""Policies compared on recorded trainings."""
