"""One self-contained HTML page about a study, made from the files of its directory."""
