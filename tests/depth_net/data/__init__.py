"""Tests of depth_net.data."""
