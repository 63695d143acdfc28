"""The command line: one module per command; `app` alone prints errors and ends the process."""
