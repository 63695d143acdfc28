"""Specs: the configuration of one action, built from its layers and checked."""
