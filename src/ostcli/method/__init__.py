"""The paper: networks, augmentation, losses, the two phases. No files, no options, no printing."""
