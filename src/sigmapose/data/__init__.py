"""Training data: motion capture, bodies, rendered pictures and the shards they become."""
