"""From an objective to the gradient at the pixels: by autograd, or written out for chains."""
