"""Tests of depth_net.config."""
