"""Images: files, samples, paintings drawn here, start images, sheets, and measures of pictures."""
