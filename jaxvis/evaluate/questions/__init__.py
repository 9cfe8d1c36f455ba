"""What an evaluation asks, and the metrics that answer."""
