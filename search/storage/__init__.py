"""The database: its rows and attributes, locks, and the files beside it. What they mean for a
study is for `search/study`."""
