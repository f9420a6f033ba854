"""The critic of poses: trained and judged beside what Φ says of its own errors."""
