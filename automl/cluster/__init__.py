"""Jobs that run a study on a cluster: one sbatch script, or manifests for Kubernetes. They are written, not run."""
