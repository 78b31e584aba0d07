"""The point estimate beside the posterior."""
