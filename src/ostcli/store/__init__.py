"""Models and adaptations on the disk: durable, hashed, never pickled."""
