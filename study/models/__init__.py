"""Network architectures for images of any size and channel number."""
