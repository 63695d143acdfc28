"""One module per action of the command line."""
