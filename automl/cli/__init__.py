"""The command line: commands by what they begin with; `app` alone prints errors and ends the process."""
