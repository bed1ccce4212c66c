"""What a researcher measures: perceptual distances, the probability of a domain, tables."""
