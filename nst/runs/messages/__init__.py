"""What a run says to the person who started it: before, during and after its steps."""
