"""Neural style transfer: optimise the pixels of an image under a frozen network's eyes."""
