"""What messages give away: bounds, and attacks that run."""
