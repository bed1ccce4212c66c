"""The paper's experiments: baselines, digits, ways of measuring, and tables."""
