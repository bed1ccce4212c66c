"""The paper's experiments with pictures: data sets, settings, published figures."""
