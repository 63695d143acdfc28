"""The files of a study: paths, documents, locks, the event log and the Optuna journal."""
