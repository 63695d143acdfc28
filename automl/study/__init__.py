"""Studies: plan, trials, results and the files of a study directory."""
