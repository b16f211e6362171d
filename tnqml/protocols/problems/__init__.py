"""Promise problems between two parties, and the one-message protocols that decide them."""
