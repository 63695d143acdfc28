"""A study on one node with many GPUs: throughput, devices, scaling, idle time."""
