"""Tests of depth_net.training."""
