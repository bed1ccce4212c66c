"""What the paper holds itself against: UNIT and CycleGAN, on the same networks."""
