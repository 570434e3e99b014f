"""Pages in a browser, served on this machine only: optuna-dashboard, and a model at work.

What they show is made elsewhere; a page that is a file of its own is no business of this room.
"""
