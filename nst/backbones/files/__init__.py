"""Files of weights: fetched from elsewhere, and read without executing what they hold."""
