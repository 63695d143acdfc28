"""Trials: one trial from placement to result, and a study of them under Ray Tune."""
