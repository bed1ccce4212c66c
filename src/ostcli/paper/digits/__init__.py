"""The paper's experiments with digits: MNIST, and the colour domains SVHN and MNIST-M."""
