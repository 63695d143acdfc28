"""What is known of model architectures beyond their schemas: a YAML file for each, and any.yaml for all of them."""
