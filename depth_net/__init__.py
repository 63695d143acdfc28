"""Trains, evaluates and exports monocular depth models; shares only files with `automl`."""
