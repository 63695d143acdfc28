"""Stopping rules: whether a running trial should go on."""
