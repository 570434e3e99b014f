"""What parses other people's text and files, fed with whatever comes."""
