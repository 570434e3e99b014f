"""A study as one page to choose from: what was measured, what was learned, drawn and explained."""
