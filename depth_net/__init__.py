"""Trains, evaluates and exports monocular depth models; meets `automl` only through files."""
