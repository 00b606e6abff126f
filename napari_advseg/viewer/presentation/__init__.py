"""Two images, one sentence and a slider on the whole screen."""
