"""Models cut between parties: what each knows, how they run, what happens to messages."""
